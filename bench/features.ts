/**
 * What each feature of `handle()` costs, in memory: nothing but the stream itself.
 *
 * `deno run bench/features.ts [--messages 1000000] [--rounds 5]`; `deno task bench` runs it at its end. Read what a message
 * takes more than in the first line, where all features are off.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Slipstream } from "../mod.ts";
import { type BatchSource, openSource } from "../src/protocol/protocol.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: { messages: { type: "string", default: "1000000" }, rounds: { type: "string", default: "5" } },
});
const messages = Number(values.messages), rounds = Number(values.rounds);
if (!(messages >= 1 && rounds >= 1)) throw new RangeError("--messages and --rounds must be from 1 on");

interface Keyed {
  readonly key: number;
  readonly n: number;
}

const BATCH = 1000;
const batch: Keyed[] = Array.from({ length: BATCH }, (_, n) => ({ key: n % 100, n }));

/** Batches of a thousand, over and over. */
function source(): BatchSource<Keyed> {
  return {
    [openSource]() {
      let left = Math.ceil(messages / BATCH);
      return {
        batches: new ReadableStream({
          pull(controller) {
            if (left-- === 0) return controller.close();
            controller.enqueue({ messages: batch, done() {} });
          },
        }, { highWaterMark: 0 }),
        stop: () => void (left = 0),
        close: () => Promise.resolve(),
      };
    },
  };
}

let sum = 0;
const sink = (n: number) => void (sum += n);
const plain = ({ n }: Keyed) => n;
async function* same(some: AsyncIterable<Keyed>): AsyncGenerator<Keyed> {
  yield* some;
}

type Bind = (app: Slipstream) => void;
const FEATURES: readonly (readonly [name: string, bind: Bind])[] = [
  ["plain", (app) => app.handle(source(), { sink }, plain)],
  ["onError: skip", (app) => app.handle(source(), { sink, onError: "skip" }, plain)],
  ["two sinks", (app) => app.handle(source(), { sink: [sink, sink] }, plain)],
  ["generator", (app) =>
    app.handle(source(), { sink }, function* ({ n }) {
      yield n;
    })],
  ["async handler", (app) => app.handle(source(), { sink }, ({ n }) => Promise.resolve(n))],
  ["onError: a function", (app) => app.handle(source(), { sink, onError: () => {} }, plain)],
  ["retry", (app) => app.handle(source(), { sink, retry: {} }, plain)],
  ["concurrency: 10", (app) => app.handle(source(), { sink, concurrency: 10 }, plain)],
  ["concurrency: 10, async", (app) => app.handle(source(), { sink, concurrency: 10 }, ({ n }) => Promise.resolve(n))],
  ["pipe: a generator", (app) => app.handle(source(), { sink, pipe: [same] }, plain)],
  [
    "pipe: a TransformStream",
    (app) => app.handle(source(), { sink, pipe: [new TransformStream<Keyed, Keyed>()] }, plain),
  ],
];

const rates = new Map<string, number[]>();
for (let round = 0; round < rounds; round++) {
  for (const [name, bind] of FEATURES) {
    const app = new Slipstream();
    bind(app);
    const began = performance.now();
    await app.stream({ handleSignals: false });
    const rate = Math.ceil(messages / BATCH) * BATCH / (performance.now() - began) * 1000;
    rates.set(name, [...rates.get(name) ?? [], rate]);
  }
}
if (sum === 0) throw new Error("nothing arrived");

const median = (some: readonly number[]) => some.toSorted((a, b) => a - b)[some.length >> 1]!;
const nanos = (rate: number) => 1e9 / rate;
const base = nanos(median(rates.get("plain")!));
console.log("| feature | messages/s | ns a message more |\n| ------- | ---------- | ----------------- |");
for (const [name, some] of rates) {
  const rate = median(some);
  console.log(`| ${name} | ${Math.round(rate).toLocaleString("en")} | ${(nanos(rate) - base).toFixed(0)} |`);
}
