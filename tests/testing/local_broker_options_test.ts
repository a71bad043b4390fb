import assert from "node:assert/strict";
import { LocalBroker } from "@slipstream/slipstream/testing";

Deno.test("LocalBroker.start() refuses wrong options in one error, before anything is started", async () => {
  await assert.rejects(
    LocalBroker.start({ brokers: 0, partitions: 1.5, partition: 2 } as never),
    (error: Error) => {
      assert.ok(error instanceof TypeError);
      assert.match(error.message, /there is no option "partition": did you mean "partitions"\?/);
      assert.match(error.message, /brokers must be a whole number from 1 on: 0/);
      assert.match(error.message, /partitions must be a whole number from 1 on: 1\.5/);
      return true;
    },
  );
});
