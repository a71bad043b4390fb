import assert from "node:assert/strict";

Deno.test("kafka_transactions.ts aborts its first try, and has every square once", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("../../examples/kafka_transactions.ts", import.meta.url).pathname],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.equal(new TextDecoder().decode(stdout), "aborted: power cut\ncommitted: 1 4 9 16 25\n");
});
