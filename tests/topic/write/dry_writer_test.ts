import assert from "node:assert/strict";
import { Slipstream, Topic } from "@slipstream/slipstream";

Deno.test("a dry Topic prints the records that it would send, sends nothing, and refuses what can't be encoded", async () => {
  const said: unknown[][] = [];
  const { info } = console;
  console.info = (...line: unknown[]) => void said.push(line);
  try {
    // Nobody is there: whatever is sent would wait for ever.
    await using topic = new Topic("nowhere", { "bootstrap.servers": "127.0.0.1:1" }, { dry: true });
    const app = new Slipstream();
    app.handle([1], { sink: topic }, (n) => ["k", `${n}`] as const);
    app.handle([2], { onError: topic }, () => {
      throw new Error("on purpose");
    });
    await app.stream({ handleSignals: false });
    assert.deepEqual(await topic.send("k", null, { headers: { h: "x" } }), {
      topic: "nowhere",
      partition: -1,
      offset: -1,
    });
    const writer = topic.writable.getWriter();
    await writer.write(["k", "w"]);
    await writer.close();
    await assert.rejects(topic.send("k", 5 as never), /takes strings/);
    await assert.rejects(topic.send("k", "v", { partition: -1 }), RangeError);
  } finally {
    console.info = info;
  }
  assert.equal(said.length, 4);
  assert.deepEqual(said[0], ['Topic "nowhere" (dry):', { key: "k", value: "1" }]);
  assert.deepEqual(said[2], ['Topic "nowhere" (dry):', { key: "k", value: null, headers: { h: "x" } }]);
  assert.throws(
    () => new Topic("nowhere", { "bootstrap.servers": "127.0.0.1:1" }, { dry: "yes" as never }),
    /dry must be true or false/,
  );
});
