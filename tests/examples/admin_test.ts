import assert from "node:assert/strict";
import { REAL_SERVERS } from "../support/brokers.ts";

async function admin(env: Record<string, string>): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("../../examples/admin.ts", import.meta.url).pathname],
    env,
  }).output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

Deno.test({
  name: "admin.ts makes, looks at and deletes a topic",
  ignore: REAL_SERVERS === undefined,
  fn: async () => {
    const { code, out, err } = await admin({ KAFKA_BOOTSTRAP_SERVERS: REAL_SERVERS! });
    assert.equal(code, 0, err);
    assert.equal(
      // The leader of a new partition may not know its end yet.
      out.replaceAll("0 to -1", "0 to 0"),
      "created: true\nlisted: true\noffsets: 0: 0 to 0, 1: 0 to 0\nmembers of nobody: 0\n" +
        "deleting nobody: ERR_GROUP_ID_NOT_FOUND\ndeleted\n",
    );
  },
});

Deno.test({
  name: "admin.ts says that it needs a broker",
  ignore: REAL_SERVERS !== undefined,
  fn: async () => {
    const { code, err } = await admin({});
    assert.equal(code, 2);
    assert.match(err, /set KAFKA_BOOTSTRAP_SERVERS/);
  },
});
