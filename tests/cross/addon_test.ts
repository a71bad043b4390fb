/** The binding against the addon that it stands for, on Node: the same calls, the same answers. */

import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { binding } from "../../src/addon/addon.ts";
import { findAddon } from "./find_addon.ts";
import { adminOf } from "./addon_admin.mjs";
import { answersOf } from "./addon_answers.mjs";
import { orderOf } from "./addon_order.mjs";
import { valuesOf } from "./addon_values.mjs";

type Answers = Record<string, string>;

const addon = await findAddon();
const kafka = Deno.env.get("KAFKA_BOOTSTRAP_SERVERS");

/** What a function of a file beside this answers for the addon, on Node. */
async function onNode(file: string, name: string, ...args: string[]): Promise<Answers> {
  assert.ok("path" in addon);
  const program = `
    import { createRequire } from "node:module";
    import { ${name} } from ${JSON.stringify(new URL(file, import.meta.url).pathname)};
    const addon = createRequire(process.cwd() + "/")(${JSON.stringify(addon.path)});
    console.log(JSON.stringify(await ${name}(addon, ${args.map((arg) => JSON.stringify(arg))})));
    process.exit(0);
  `;
  const node = await new Deno.Command("node", {
    args: ["--input-type=module", "--eval", program],
    signal: AbortSignal.timeout(120_000),
  }).output();
  assert.ok(node.success, `${node.signal ?? node.code}: ${new TextDecoder().decode(node.stderr)}`);
  return JSON.parse(new TextDecoder().decode(node.stdout));
}

/** Holds answers to those of the addon, of which there are so many at least. */
function assertSame(ours: Answers, theirs: Answers, count: number): void {
  const calls = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])];
  const differing = calls.filter((call) => theirs[call] !== ours[call]);
  assert.deepEqual(
    differing.map((call) => `${call} → ${ours[call]}`),
    differing.map((call) => `${call} → ${theirs[call]}`),
  );
  assert.ok(calls.length >= count, `only ${calls.length}`);
}

/** A test that needs the addon. */
function compare(
  name: string,
  test: () => Promise<void>,
  lacking = "reason" in addon ? addon.reason : undefined,
): void {
  const ignore = lacking !== undefined;
  Deno.test({ name: `${name}${ignore ? ` (ignored: ${lacking})` : ""}`, ignore, fn: test });
}

/** A broker whose topics nobody else uses. */
async function quietBroker(): Promise<LocalBroker> {
  const broker = await LocalBroker.start();
  for (const topic of ["t", "u", "ours", "theirs"]) broker.createTopic(topic, { partitions: 1 });
  return broker;
}

compare("the binding answers what the addon on Node answers", async () => {
  // One each: what the first produces the second would see.
  await using theirBroker = await quietBroker();
  const theirs = await onNode("addon_answers.mjs", "answersOf", theirBroker.bootstrapServers);
  await using ourBroker = await quietBroker();
  assertSame(await answersOf(binding, ourBroker.bootstrapServers), theirs, 530);
});

compare("the binding makes of odd values what the addon on Node makes of them", async () => {
  await using broker = await quietBroker();
  const servers = broker.bootstrapServers;
  const theirs = await onNode("addon_values.mjs", "valuesOf", servers, "theirs");
  assertSame(await valuesOf(binding, servers, "ours"), theirs, 480);
});

compare("the binding calls back when the addon on Node does, and in its order", async () => {
  await using broker = await quietBroker();
  const servers = broker.bootstrapServers;
  const theirs = await onNode("addon_order.mjs", "orderOf", servers, "theirs");
  assertSame(await orderOf(binding, servers, "ours"), theirs, 9);
});

compare(
  "the binding's admin client answers what the addon's on Node answers",
  async () => {
    const run = crypto.randomUUID();
    const theirs = await onNode("addon_admin.mjs", "adminOf", kafka!, `theirs-${run}`);
    assertSame(await adminOf(binding, kafka!, `ours-${run}`), theirs, 180);
  },
  "reason" in addon ? addon.reason : kafka === undefined ? "no KAFKA_BOOTSTRAP_SERVERS" : undefined,
);
