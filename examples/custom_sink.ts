// A sink of your own: a database that takes rows in batches, and may refuse single rows.
//
// Run:    deno run -A examples/custom_sink.ts
// Prints: the order that the database refuses, then the count and the sum of the others
import { DatabaseSync } from "node:sqlite";
import { Slipstream } from "@slipstream/slipstream";
import { type BatchSink, type Delivery, openSink, Settlements, type SinkWriter } from "@slipstream/slipstream/protocol";

/** A row of the table. */
export interface Order {
  readonly id: number;
  readonly price: number;
}

/** A row that was accepted, and where to report its outcome. */
interface WaitingRow {
  readonly order: Order;
  readonly delivery: Delivery;
  readonly message: unknown;
}

/**
 * The table `orders` of a database, as a sink: it inserts up to `batchSize` rows in one transaction. If the database refuses
 * the transaction, the rows are inserted one by one, and the error policy of the handler decides about those that fail.
 */
export function ordersIn(database: DatabaseSync, batchSize = 100): BatchSink<Order> {
  // The statement upserts: at-least-once delivery repeats rows after a crash.
  const insert = database.prepare(
    "INSERT INTO orders (id, price) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET price = excluded.price",
  );
  const insertAll = (rows: readonly WaitingRow[]) => {
    database.exec("BEGIN");
    try {
      for (const { order } of rows) insert.run(order.id, order.price);
      database.exec("COMMIT");
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  };
  // Each run gets a writer with rows and accounts of its own, so runs that share the sink don't disturb each other.
  const open = (): SinkWriter<Order> => {
    const settlements = new Settlements();
    let waiting: WaitingRow[] = [];
    /** Writes the rows that wait. Resolves when each is in the table, or its failure is disposed of. */
    const flush = async (): Promise<void> => {
      const rows = waiting;
      waiting = [];
      try {
        insertAll(rows);
        for (const { delivery } of rows) settlements.of(delivery).settled();
      } catch {
        for (const row of rows) await insertOne(row);
      }
    };
    const insertOne = async ({ order, delivery, message }: WaitingRow): Promise<void> => {
      try {
        insert.run(order.id, order.price);
      } catch (error) {
        // The policy is applied to this row's message alone, and the other rows go on.
        return await settlements.of(delivery).undelivered(error, message);
      }
      settlements.of(delivery).settled();
    };
    // One flush at a time, so that rows are written in order.
    let flushing: Promise<void> = Promise.resolve();
    const flushInOrder = () => flushing = flushing.then(flush);
    return {
      accept(order, delivery, message) {
        // What can't be a row is refused at once: the option `retry` and the error policy apply.
        if (!Number.isInteger(order.id)) {
          throw new TypeError(`an order needs a whole number as its id: got ${order.id}`);
        }
        settlements.of(delivery).accepted();
        waiting.push({ order, delivery, message });
        // Returning the promise makes the handlers wait: rows don't pile up in front of a slow database.
        if (waiting.length >= batchSize) return flushInOrder();
      },
      settle(delivery) {
        // The batch is handled, so no more rows may come: write those that wait.
        void flushInOrder();
        return settlements.outcome(delivery);
      },
      async close() {
        await flushing;
      },
    };
  };
  return { [openSink]: open };
}

/** A database with the table, whose prices must not be negative. */
export function ordersDatabase(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, price REAL CHECK (price >= 0))");
  return database;
}

if (import.meta.main) {
  const database = ordersDatabase();
  const app = new Slipstream();
  const prices = [12, 8, -1, 20];
  app.handle(prices.entries(), {
    sink: ordersIn(database),
    onError: ({ value, cause }) => console.log("refused:", value, (cause as Error).message),
  }, ([id, price]) => ({ id, price }));
  await app.stream();
  console.log(database.prepare("SELECT count(*) AS orders, sum(price) AS total FROM orders").get());
}
