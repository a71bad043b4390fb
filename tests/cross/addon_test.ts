/** Compares the addon with the native addon on Node: the same calls must get the same answers. */

import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { addon } from "../../src/addon/addon.ts";
import { findAddon } from "./find_addon.ts";
import { adminOf } from "./addon_admin.mjs";
import { answersOf } from "./addon_answers.mjs";
import { orderOf } from "./addon_order.mjs";
import { valuesOf } from "./addon_values.mjs";

type Answers = Record<string, string>;

const nativeAddon = await findAddon();
const kafka = Deno.env.get("KAFKA_BOOTSTRAP_SERVERS");

/** Runs a function of a file beside this one on Node, with the native addon, and returns its answers. */
async function onNode(file: string, name: string, ...args: string[]): Promise<Answers> {
  assert.ok("path" in nativeAddon);
  const program = `
    import { createRequire } from "node:module";
    import { ${name} } from ${JSON.stringify(new URL(file, import.meta.url).pathname)};
    const addon = createRequire(process.cwd() + "/")(${JSON.stringify(nativeAddon.path)});
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

/** Asserts that all answers are those of the native addon, and that `count` calls at least were compared. */
function assertSame(ours: Answers, theirs: Answers, count: number): void {
  const calls = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])];
  const differing = calls.filter((call) => theirs[call] !== ours[call]);
  assert.deepEqual(
    differing.map((call) => `${call} → ${ours[call]}`),
    differing.map((call) => `${call} → ${theirs[call]}`),
  );
  assert.ok(calls.length >= count, `only ${calls.length}`);
}

/** Declares a test that needs the native addon. */
function compare(
  name: string,
  test: () => Promise<void>,
  lacking = "reason" in nativeAddon ? nativeAddon.reason : undefined,
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

compare("the addon answers what the native addon answers on Node", async () => {
  // One each: what the first produces the second would see.
  await using theirBroker = await quietBroker();
  const theirs = await onNode("addon_answers.mjs", "answersOf", theirBroker.bootstrapServers);
  await using ourBroker = await quietBroker();
  assertSame(await answersOf(addon, ourBroker.bootstrapServers), theirs, 526);
});

compare("the addon converts odd arguments as the native addon does on Node", async () => {
  await using broker = await quietBroker();
  const servers = broker.bootstrapServers;
  const theirs = await onNode("addon_values.mjs", "valuesOf", servers, "theirs");
  assertSame(await valuesOf(addon, servers, "ours"), theirs, 480);
});

compare("the addon calls back when the native addon does on Node, and in the same order", async () => {
  await using broker = await quietBroker();
  const servers = broker.bootstrapServers;
  const theirs = await onNode("addon_order.mjs", "orderOf", servers, "theirs");
  assertSame(await orderOf(addon, servers, "ours"), theirs, 9);
});

compare(
  "the addon's admin client answers what the native addon's answers on Node",
  async () => {
    const run = crypto.randomUUID();
    const theirs = await onNode("addon_admin.mjs", "adminOf", kafka!, `theirs-${run}`);
    assertSame(await adminOf(addon, kafka!, `ours-${run}`), theirs, 180);
  },
  "reason" in nativeAddon ? nativeAddon.reason : kafka === undefined ? "no KAFKA_BOOTSTRAP_SERVERS" : undefined,
);
