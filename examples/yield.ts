// A handler that yields: no value, one, or several for each message.
//
// Run:    deno run -A examples/yield.ts
// Prints: zero: 0, even: 0, even: 2, even: 4
import { handle, stream } from "@slipstream/slipstream";

async function* numbers(): AsyncGenerator<number> {
  for (let n = 0; n < 5; n++) yield await Promise.resolve(n);
}

handle(numbers(), { sink: console.log }, function* (n) {
  if (n === 0) yield `zero: ${n}`;
  if (n % 2 === 0) yield `even: ${n}`;
});

await stream();
