import assert from "node:assert/strict";
import { type HandleOptions, HandlerError, type Sink, Slipstream } from "@slipstream/slipstream";
import {
  type BatchSource,
  type DeadLetterSink,
  openDeadLetters,
  openSource,
  type RawMessage,
} from "@slipstream/slipstream/protocol";
import { QUIET, turns } from "../support/logged_stream.ts";

/** Messages like those of a topic, in two batches. The fourth of six fails. */
interface Sent {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: string;
}

const BAD = 3;
const MESSAGES: Sent[] = ["a", "b", "c", "bad", "e", "f"].map((value, offset) => ({
  topic: "orders",
  partition: 2,
  offset,
  key: `key ${offset % 2}`,
  value,
}));
const failure = new Error("on purpose");

function source(done: number[], unreadable: boolean): BatchSource<Sent> {
  return {
    [openSource]: () => ({
      batches: ReadableStream.from([0, 2].map((from) => {
        const messages = from === 0 ? MESSAGES.slice(0, 2) : MESSAGES.slice(2);
        return {
          messages,
          ...(unreadable && from > 0
            ? { unreadable: new Map([[BAD - from, { error: failure, again: () => Promise.reject(failure) }]]) }
            : {}),
          describe: ({ topic, partition, offset }: Sent) => `${topic}[${partition}]@${offset}`,
          raw: ({ value }: Sent): RawMessage => ({
            key: null,
            value: new TextEncoder().encode(`raw ${value}`),
            headers: [],
          }),
          done: () => void done.push(from),
        };
      })),
      stop() {},
      close: () => Promise.resolve(),
    }),
  };
}

type Options = HandleOptions<Sent, Sink<string> | readonly Sink<string>[]>;
/** The ways in which a message can fail: the bindings that make it fail. */
const KINDS: Record<string, (out: string[]) => { options: Options; pipe?: object; handler: (sent: Sent) => unknown }> =
  {
    "a codec": (out) => ({ options: { sink: (line) => out.push(line) }, handler: ({ value }) => value }),
    "a handler that throws": (out) => ({
      options: { sink: (line) => out.push(line) },
      handler({ value }) {
        if (value === "bad") throw failure;
        return value;
      },
    }),
    "a handler that rejects": (out) => ({
      options: { sink: (line) => out.push(line) },
      async handler({ value }) {
        await turns();
        if (value === "bad") throw failure;
        return value;
      },
    }),
    "a generator": (out) => ({
      options: { sink: (line) => out.push(line) },
      async *handler({ value }) {
        if (value === "bad") throw failure;
        yield await Promise.resolve(value);
      },
    }),
    "a stage of the pipe": (out) => ({
      options: { sink: (line) => out.push(line) },
      async *pipe(sent: AsyncIterable<Sent>) {
        for await (const one of sent) {
          if (one.value === "bad") throw failure;
          yield one;
        }
      },
      handler: ({ value }) => value,
    }),
    "a sink that throws": (out) => ({
      options: {
        sink(line) {
          if (line === "bad") throw failure;
          out.push(line);
        },
      },
      handler: ({ value }) => value,
    }),
    "a sink that rejects, behind one that does not": (out) => ({
      options: {
        sink: [() => {}, async (line) => {
          await turns();
          if (line === "bad") throw failure;
          out.push(line);
        }],
      },
      handler: ({ value }) => value,
    }),
  };

for (const [kind, bind] of Object.entries(KINDS)) {
  for (const concurrency of [1, 3]) {
    for (const retry of [undefined, { maxAttempts: 2, minTimeout: 1 }]) {
      const how = `${kind}, ${concurrency} at a time${retry === undefined ? "" : ", after a retry"}`;

      Deno.test(`onError: ${how}`, async () => {
        for (const policy of ["fail", "skip", "letters", "function"] as const) {
          const out: string[] = [], done: number[] = [], others: string[] = [];
          const letters: RawMessage[] = [], told: HandlerError[] = [];
          const sink: DeadLetterSink = {
            [openDeadLetters]: () => ({ accept: (letter) => void letters.push(letter), settle() {}, close() {} }),
          };
          const onError = policy === "letters"
            ? sink
            : policy === "function"
            ? (error: HandlerError) => told.push(error)
            : policy;
          const { options, pipe, handler } = bind(out);
          const orders = source(done, kind === "a codec");
          const app = new Slipstream();
          app.handle(
            orders,
            {
              ...options,
              name: "bill",
              concurrency,
              onError,
              ...(pipe === undefined ? {} : { pipe: [pipe] }),
              ...(retry === undefined ? {} : { retry }),
            } as never,
            handler as never,
          );
          app.handle(orders, { name: "other", onError: "skip" }, ({ value }) => void others.push(value));
          const error = await app.stream(QUIET).then(() => undefined, (error) => error);
          const [first = error] = told;
          if (policy === "fail" || policy === "function") {
            assert.ok(first instanceof HandlerError, `${policy}: ${first}`);
            assert.equal(first.message, 'handler "bill" failed on orders[2]@3: on purpose');
            const { handler, topic, partition, offset, value, cause } = first;
            assert.deepEqual([handler, topic, partition, offset, value, cause], [
              "bill",
              "orders",
              2,
              3,
              MESSAGES[BAD],
              failure,
            ]);
          }
          if (policy === "fail") {
            assert.deepEqual([done, out.includes("bad")], [[0], false]);
            continue;
          }
          assert.equal(error, undefined, policy);
          assert.deepEqual([done, out.sort(), told.length, others.length], [
            [0, 2],
            ["a", "b", "c", "e", "f"],
            policy === "function" ? 1 : 0,
            kind === "a codec" ? 5 : 6,
          ]);
          assert.deepEqual(
            letters.map(({ value }) => new TextDecoder().decode(value!)),
            policy === "letters" ? ["raw bad"] : [],
          );
        }
      });
    }
  }
}
