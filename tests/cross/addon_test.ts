/** The binding against the addon that it stands for, on Node: the same calls, the same answers. */

import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { addonFolder } from "../../bench/build_addon.ts";
import { binding } from "../../src/librdkafka/binding.ts";
import { answersOf } from "./addon_answers.mjs";

/** Built by `deno task bench:kafka-javascript`, or named: this builds none, which takes minutes. */
const built = Deno.env.has("KAFKA_JAVASCRIPT_NODE") || await Deno.stat(
  new URL("../../bench/build/addon/node_modules", import.meta.url),
).then(() => true, () => false);

Deno.test({
  name: `the binding answers what the addon on Node answers${built ? "" : " (ignored: no addon is built)"}`,
  ignore: !built,
  async fn() {
    const { path, env } = await addonFolder();
    await using broker = await LocalBroker.start();
    broker.createTopic("t", { partitions: 1 });
    const program = `
      import { createRequire } from "node:module";
      import { answersOf } from ${JSON.stringify(new URL("addon_answers.mjs", import.meta.url).pathname)};
      const addon = createRequire(process.cwd() + "/")("@confluentinc/kafka-javascript/librdkafka.js");
      console.log(JSON.stringify(await answersOf(addon, ${JSON.stringify(broker.bootstrapServers)})));
      process.exit(0);
    `;
    const node = await new Deno.Command("node", {
      args: ["--input-type=module", "--eval", program],
      cwd: path,
      env: { ...env },
    }).output();
    assert.ok(node.success, new TextDecoder().decode(node.stderr));
    const theirs: Record<string, string> = JSON.parse(new TextDecoder().decode(node.stdout));
    const ours: Record<string, string> = await answersOf(binding, broker.bootstrapServers);
    const differing = Object.keys(theirs).filter((call) => theirs[call] !== ours[call]);
    assert.deepEqual(
      differing.map((call) => `${call} → ${ours[call]}`),
      differing.map((call) => `${call} → ${theirs[call]}`),
    );
    assert.ok(Object.keys(theirs).length > 400);
  },
});
