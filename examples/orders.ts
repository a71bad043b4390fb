// A stream as people write one, so that testing_test.ts can show how it is tested.
//
// Run:    deno test -A examples/testing_test.ts
// Prints: nothing: it is a module
import { Slipstream, type Source, timer } from "@slipstream/slipstream";

/** An order. */
export interface Order {
  readonly id: string;
  readonly price: number;
}

/** Lines for the kitchen as orders come, and every minute what was taken since the last. */
export function orders(source: Source<Order>, print: (line: string) => unknown): Slipstream {
  const app = new Slipstream();
  let taken = 0;
  app.handle(source, { name: "kitchen", sink: print }, ({ id, price }) => {
    if (price < 0) throw new RangeError(`order ${id} costs ${price}`);
    taken += price;
    return `cook ${id}`;
  });
  app.handle(timer(60_000), { name: "till", sink: print }, () => {
    const line = `taken: ${taken}`;
    taken = 0;
    return line;
  });
  return app;
}
