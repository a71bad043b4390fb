// A tick every 100 ms, without drift, until a signal stops the run.
//
// Run:    deno run -A examples/timer.ts
// Prints: the time of day, three times
import { handle, stream, timer } from "@slipstream/slipstream";

const enough = new AbortController();
let ticks = 0;

handle(timer(100), { sink: console.log }, ({ time }) => {
  if (++ticks === 3) enough.abort();
  return new Date(time).toISOString().slice(11, 19);
});

await stream({ signal: enough.signal });
