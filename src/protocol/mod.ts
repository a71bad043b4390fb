/**
 * For authors of sources and sinks: the contract between a run of `stream()` and what it reads from and writes to.
 *
 * Plain iterables, functions and Web Streams need none of it: `handle()` takes them as they are. Implement `BatchSource` for
 * a source that can begin again where it was, such as a queue with acknowledgements, and `BatchSink` for a sink that accepts
 * a value now and delivers it later, such as a database that is written in batches.
 *
 * A source offers *batches*: messages that it hands over together. A sink *accepts* the values that a handler emits for a
 * batch on behalf of a *delivery*, and *settles* that delivery: it reports whether every value that it accepted for it is
 * delivered. A batch is *done* when all of its deliveries have settled; the source acknowledges its messages then, and not
 * before. So delivery is at least once, whatever the sources and the sinks are.
 *
 * - A source: `BatchSource.[openSource]` returns a `SourceReader`. `batchReader()` makes one of an async generator.
 * - A sink: `BatchSink.[openSink]` returns a `SinkWriter`. `Settlements` keeps its accounts, and passes the failure of a
 *   single value to the error policy.
 * - A sink for dead letters: `DeadLetterSink.[openDeadLetters]` returns a `SinkWriter` of `RawMessage`.
 *
 * `examples/custom_source.ts` reads a queue over HTTP, page by page; `examples/custom_sink.ts` writes batches of rows to a
 * database that may refuse single rows.
 *
 * The run, the sources and the sinks keep these invariants. `tests/simulation` looks for programs that break one:
 *
 * 1. **Settlement belongs to a delivery.** Anyone may call `SinkWriter.settle`, at any time and any number of times. It
 *    covers the values accepted for that delivery so far, and no others, whoever else shares the sink. Once it has rejected,
 *    it always rejects.
 * 2. **A failure belongs to its message.** A value that a sink accepted and could not deliver is reported to its own
 *    delivery, or makes that delivery's settlement reject. Its batch is not done then, unless the error policy disposes of
 *    the message.
 * 3. **A batch is done only after everything that its messages led to is delivered**, or disposed of by the policy: through
 *    pipes, several handlers and sinks, retries, dead letters, and at any concurrency.
 * 4. **Batches of a source are done in order.** After a batch that is not done, no later one is.
 * 5. **A message that no handler has finished is never done**, whatever ends the run: a stop, a failure, an aborted
 *    retry, a pipe that ends. The run checks for a stop before each message, and a stop cuts every wait short.
 * 6. **Every failure has an owner.** It reaches `onError`, or `stream()` rejects with it. `stream()` rejects with the first
 *    failure; later ones never keep a run from ending.
 * 7. **An end takes nothing from others.** Closing a `SinkWriter` leaves alone what other writers of the same sink have
 *    accepted.
 * 8. **Order.** For each message, the handlers of its source run in the order of binding, and every sink has accepted
 *    their values before the next message is handled (of the same key, with `concurrency`). A sink delivers the
 *    values of one writer in the order in which it accepted them.
 * 9. **Memory is bounded in bytes.** A source is read on only while the batches that are not done stay below a number
 *    and a size, and a sink makes its callers wait when it has no room.
 *
 * @example A source that begins after the last message that is done
 * ```ts
 * import { Slipstream } from "@slipstream/slipstream";
 * import { batchReader, type BatchSource, openSource } from "@slipstream/slipstream/protocol";
 *
 * const log = ["a", "b", "c", "d"];
 * let handled = 0; // A real source stores it.
 *
 * const source: BatchSource<string> = {
 *   [openSource]: () =>
 *     batchReader(async function* () {
 *       for (let first = handled; first < log.length; first += 2) {
 *         const messages = log.slice(first, first + 2);
 *         yield { messages, done: (count = messages.length) => void (handled = first + count) };
 *       }
 *     }),
 * };
 *
 * const app = new Slipstream(), seen: string[] = [];
 * app.handle(source, (line) => {
 *   if (line === "d" && seen.length === 3) throw new Error("once");
 *   seen.push(line);
 * });
 * await app.stream().catch(() => {});
 * seen.push("again");
 * await app.stream();
 * console.assert(seen.join("") === "abcagaincd" && handled === 4);
 * ```
 *
 * @example A sink that delivers by the hundred
 * ```ts
 * import { Slipstream } from "@slipstream/slipstream";
 * import { type BatchSink, type Delivery, openSink, Settlements } from "@slipstream/slipstream/protocol";
 *
 * const delivered: number[][] = [];
 * const sink: BatchSink<number> = {
 *   [openSink]() {
 *     const settlements = new Settlements();
 *     let waiting: { value: number; delivery: Delivery }[] = [];
 *     const deliver = () => {
 *       if (waiting.length > 0) delivered.push(waiting.map(({ value }) => value));
 *       for (const { delivery } of waiting.splice(0)) settlements.of(delivery).settled();
 *     };
 *     return {
 *       accept(value, delivery) {
 *         settlements.of(delivery).accepted();
 *         if (waiting.push({ value, delivery }) === 100) deliver();
 *       },
 *       settle(delivery) {
 *         deliver();
 *         return settlements.outcome(delivery);
 *       },
 *       close() {},
 *     };
 *   },
 * };
 *
 * const app = new Slipstream();
 * app.handle(Array(250).keys(), { sink }, (n) => n);
 * await app.stream();
 * console.assert(delivered.map(({ length }) => length).join() === "100,100,50");
 * ```
 *
 * @module
 */

export {
  type Batch,
  type BatchSource,
  openSource,
  type Position,
  type SourceReader,
  type Unreadable,
} from "./protocol.ts";
export { batchReader } from "./batch_reader.ts";
export { type BatchSink, type Delivery, openSink, type SinkWriter } from "./protocol.ts";
export { Settlement, Settlements } from "./settlement.ts";
export { type DeadLetterSink, feeds, openDeadLetters, type RawMessage } from "./protocol.ts";
