import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { type ErrorPolicy, HandlerError, Slipstream } from "@slipstream/slipstream";
import { scripted, together } from "@slipstream/slipstream/testing";
import { type Order, ordersDatabase, ordersIn } from "../../examples/custom_sink.ts";
import { example } from "../support/example.ts";

const QUIET = { handleSignals: false } as const;

function idsIn(database: DatabaseSync): number[] {
  return database.prepare("SELECT id FROM orders ORDER BY id").all().map(({ id }) => id as number);
}

/** Orders in batches of two; the database refuses negative prices. */
function orders(...prices: number[]) {
  const all = prices.map((price, id): Order => ({ id, price }));
  const pairs = Array.from({ length: Math.ceil(all.length / 2) }, (_, n) => together(...all.slice(2 * n, 2 * n + 2)));
  return scripted(pairs);
}

Deno.test("custom_sink.ts inserts the rows of a batch but for the one that the database refuses", async () => {
  const { code, out, err } = await example("custom_sink.ts");
  assert.equal(code, 0, err);
  assert.equal(
    out,
    "refused: [ 2, -1 ] CHECK constraint failed: price >= 0\n[Object: null prototype] { orders: 3, total: 40 }\n",
  );
});

Deno.test("custom_sink.ts applies the error policy to a row that fails after it was accepted", async (t) => {
  const letters: number[] = [];
  const policies: readonly (readonly [name: string, onError: ErrorPolicy, done: number[], rows: number[]])[] = [
    // Its batch and those behind it are not done; rows that were accepted already are in the table.
    ["fail", "fail", [0, 1], [0, 1, 2, 4, 5]],
    ["skip", "skip", [0, 1, 2, 3, 4, 5], [0, 1, 2, 4, 5]],
    ["function", ({ value }) => letters.push((value as Order).id), [0, 1, 2, 3, 4, 5], [0, 1, 2, 4, 5]],
  ];
  for (const [name, onError, done, rows] of policies) {
    await t.step(name, async () => {
      const database = ordersDatabase();
      const source = orders(1, 1, 1, -1, 1, 1);
      const app = new Slipstream();
      app.handle(source, { sink: ordersIn(database, 10), onError }, (order) => order);
      const outcome = await app.stream(QUIET).then(() => undefined, (error) => error);
      if (onError === "fail") {
        assert.ok(outcome instanceof HandlerError);
        assert.deepEqual([outcome.value, /CHECK/.test(outcome.message)], [{ id: 3, price: -1 }, true]);
        // The failure stops the source, so the last batch may not have been read.
        assert.ok(idsIn(database).every((id) => rows.includes(id)));
      } else {
        assert.equal(outcome, undefined);
        assert.deepEqual(idsIn(database), rows);
      }
      assert.deepEqual(source.done.map(({ id }) => id), done);
    });
  }
  assert.deepEqual(letters, [3]);
});

Deno.test("custom_sink.ts refuses what is not a row, and the handler's policy applies", async () => {
  const database = ordersDatabase();
  const app = new Slipstream();
  const errors: string[] = [];
  const sink = ordersIn(database);
  app.handle([0.5, 1], { sink, onError: ({ message }) => errors.push(message), name: "store" }, (id) => ({
    id,
    price: 1,
  }));
  await app.stream(QUIET);
  assert.deepEqual(errors, ['handler "store" failed: an order needs a whole number as its id: got 0.5']);
  assert.deepEqual(idsIn(database), [1]);
});

Deno.test("custom_sink.ts has every row in the table that is done, when a stop comes in the middle", async () => {
  const database = ordersDatabase();
  const source = orders(...Array(10).fill(1));
  const app = new Slipstream();
  const enough = new AbortController();
  app.handle(source, { sink: ordersIn(database, 4) }, (order) => {
    if (order.id === 4) enough.abort();
    return order;
  });
  await app.stream({ ...QUIET, signal: enough.signal });
  const done = source.done.map(({ id }) => id);
  assert.deepEqual(done, [0, 1, 2, 3, 4]);
  assert.deepEqual(idsIn(database), done);
  await app.stream(QUIET);
  assert.deepEqual(idsIn(database), [...Array(10).keys()]);
});

Deno.test("custom_sink.ts keeps the runs apart that share it: one fails while rows of the other wait", async () => {
  const database = ordersDatabase();
  const sink = ordersIn(database);
  const failing = new Slipstream(), going = new Slipstream();
  const failed = Promise.withResolvers<unknown>();
  failing.handle(orders(1, -1, 1, 1), { sink }, (order) => order);
  const source = scripted([together(...Array.from({ length: 20 }, (_, n) => ({ id: 100 + n, price: 1 })))]);
  going.handle(source, { sink }, async (order) => {
    // Ten rows of this run wait to be written when the other one fails and closes its writer.
    if (order.id === 110) {
      failing.stream(QUIET).then(failed.resolve, failed.resolve);
      await failed.promise;
    }
    return order;
  });
  const stops = new AbortController();
  const timer = setTimeout(() => stops.abort(), 10_000); // If rows are lost, the run waits for them for ever.
  await going.stream({ ...QUIET, signal: stops.signal, shutdownTimeoutMs: 0 });
  clearTimeout(timer);
  assert.match(String(await failed.promise), /CHECK constraint failed/);
  assert.equal(source.done.length, 20);
  assert.deepEqual(idsIn(database).filter((id) => id >= 100), Array.from({ length: 20 }, (_, n) => 100 + n));
});
