import assert from "node:assert/strict";
import { REAL_SERVERS } from "../support/brokers.ts";

Deno.test("kafka_javascript.ts sends, reads and looks at a topic through the official API", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      new URL("../../examples/kafka_javascript.ts", import.meta.url).pathname,
      ...REAL_SERVERS === undefined ? [] : [REAL_SERVERS],
    ],
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.equal(code, 0, err);
  const lines = out!.trim().split("\n");
  // The two may be in different partitions, which have no order.
  assert.deepEqual(
    [lines[0], ...lines.slice(1, 3).sort(), ...lines.slice(3)],
    ["delivered: true", "fish 🐟, by nobody", "trophy 🏆, by examples", "listed: true"],
  );
});
