// A pipe before the handler: generators and TransformStreams, in order.
//
// Run:    deno run -A examples/pipe.ts
// Prints: 1 + 3 = 4, 4 + 5 = 9, 9 + 7 = 16
import { handle, stream } from "@slipstream/slipstream";

async function* pairwise(numbers: AsyncIterable<number>): AsyncGenerator<readonly [number, number]> {
  let last: number | undefined;
  for await (const n of numbers) {
    if (last !== undefined) yield [last, n];
    last = n;
  }
}

async function* accumulate(numbers: AsyncIterable<number>): AsyncGenerator<number> {
  let sum = 0;
  for await (const n of numbers) yield sum += n;
}

const odd = new TransformStream<number, number>({
  transform(n, out) {
    if (n % 2 === 1) out.enqueue(n);
  },
});

handle([1, 2, 3, 4, 5, 6, 7], { pipe: [odd, accumulate, pairwise], sink: console.log }, ([before, now]) => {
  return `${before} + ${now - before} = ${now}`;
});

await stream();
