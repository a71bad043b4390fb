import { bytes, Cache, type HandlerError, json, Slipstream, stream, Topic, transform } from "@slipstream/slipstream";
import type { BatchSource } from "@slipstream/slipstream/protocol";
import { runUntilIdle } from "@slipstream/slipstream/testing";

/** Never run: the compiler tests it. Each `@ts-expect-error` fails `deno check` when there is no error. */
function compiled(app: Slipstream, source: BatchSource<{ id: number }>): void {
  const strings = (value: string) => value;
  const numbers = new WritableStream<number>();

  app.handle([1, 2], { sink: strings }, (n) => n.toFixed());
  app.handle(source, { sink: [strings, console.log] }, ({ id }) => id.toFixed());
  app.handle(source, { sink: { writable: numbers } }, async ({ id }) => await Promise.resolve(id));
  app.handle(source, { sink: strings }, function* ({ id }) {
    if (id > 0) yield id.toFixed();
  });
  app.handle(source, { sink: strings }, async function* ({ id }) {
    yield await Promise.resolve(id.toFixed());
  });
  app.handle(source, { sink: numbers }, ({ id }) => id > 0 ? id : undefined);
  app.handle([source, [1].values()], (message) => {
    const either: number | { id: number } = message;
    return either;
  });
  app.handle([["a", 1], ["b", 2]] as [string, number][], ([letter, n]) => letter.repeat(n));
  app.handle([{ id: 1 }], { sink: numbers }, ({ id }) => id);
  app.handle([new Uint8Array(1)], { sink: numbers }, (bytes) => bytes.length);

  // @ts-expect-error: the sink takes strings, the handler emits numbers
  app.handle([1, 2], { sink: strings }, (n: number) => n * 2);
  // @ts-expect-error: one of the sinks can't take it
  app.handle(source, { sink: [console.log, strings] }, ({ id }: { id: number }) => id);
  // @ts-expect-error: the stream takes numbers, the generator yields strings
  app.handle([1], { sink: numbers }, function* (n: number) {
    yield n.toFixed();
  });
  // @ts-expect-error: the sink takes strings, the promise is of a number
  app.handle([1], { sink: strings }, async (n: number) => await Promise.resolve(n));
  // @ts-expect-error: the messages are numbers
  app.handle([1, 2], (n) => n.toUpperCase());
  // @ts-expect-error: the messages are no `any`
  app.handle(source, (message) => message.name);
  // @ts-expect-error: the arguments have the type unknown in an app without Args
  app.handle([1], (_n, args) => args.name);
  // @ts-expect-error: a number can't be read
  app.handle(5, () => {});

  const out: ReadableStream<string> = ReadableStream.from([1]).pipeThrough(transform((n: number) => n.toFixed()));
  // @ts-expect-error: the transform emits strings
  const wrong: ReadableStream<number> = out;
  void wrong;
}

function compiledArgs(): void {
  const app = new Slipstream<{ readonly name: string }>();
  app.handle([1], (_n, args) => args.name);
  app.handle([1], { sink: (name: string) => name }, (_n, { name }) => name);
  void app.stream({ args: { name: "a" }, handleSignals: false });
  void runUntilIdle(app, { args: { name: "a" } });
  void new Slipstream<string | undefined>().stream();
  void new Slipstream().stream({ args: 5 });
  void runUntilIdle(new Slipstream());
  void runUntilIdle(stream, { args: 5 });

  // @ts-expect-error: the handlers need arguments
  void app.stream();
  // @ts-expect-error: the handlers need arguments
  void app.stream({ handleSignals: false });
  // @ts-expect-error: the handlers need other arguments
  void app.stream({ args: { name: 5 } });
  // @ts-expect-error: the handlers need arguments
  void runUntilIdle(app);
  // @ts-expect-error: no such argument
  app.handle([1], (_n, args) => args.title);
  // @ts-expect-error: the arguments are not of this type
  app.handle([1], (_n, args: { readonly title: string }) => args);
}

Deno.test("stream() needs the arguments that the handlers of a Slipstream<Args> get", () => void compiledArgs);

Deno.test("handle() infers messages and checks that sinks take what is emitted", () => void compiled);

/** Never run, like the function above: topics, pipes and options. */
function compiledMore(app: Slipstream): void {
  const words = new Topic("words");
  const events = new Topic("events", {}, { key: bytes, value: json<{ readonly id: number }>() });

  app.handle(events, ({ key, value, headers, timestamp }) => {
    const inferred: readonly [Uint8Array | null, { readonly id: number } | null] = [key, value];
    return [inferred, headers.length, timestamp?.toFixed()];
  });
  app.handle(events, { sink: words }, ({ value }) => ["k", value === null ? null : value.id.toFixed()]);
  app.handle(
    words,
    { sink: [events, console.log] },
    ({ value }) => ({ value: { id: Number(value) }, headers: { h: "x" } }),
  );
  app.handle(words, { concurrency: 2, by: ({ value }) => value, onError: words, retry: { maxAttempts: 2 } }, () => {});
  app.handle([1], { pipe: [new TransformStream<number, string>()] }, (text) => text.length);
  app.handle([1], { pipe: [pairs, new TransformStream<readonly number[], string>()] }, (text) => text.length);
  app.handle([1], { pipe: [() => new TransformStream<number, string>()] }, (text) => text.length);
  app.handle([1], { pipe: [pairs, () => new TransformStream<readonly number[], string>()] }, (text) => text.length);
  app.handle(new Topic(["a", /* and */ "b"]), ({ value }) => value?.length);
  app.handle(new Topic(/^a/, {}, { value: bytes, app }), ({ value }) => value?.byteLength);
  app.handle([1], { onError: ({ handler, partition }) => [handler, partition?.toFixed()] }, () => {});

  // @ts-expect-error: a value may be a tombstone
  app.handle(events, ({ value }) => value.id);
  // @ts-expect-error: a key may be missing
  app.handle(words, ({ key }) => key.length);
  // @ts-expect-error: the topic takes strings, the handler emits numbers
  app.handle(events, { sink: words }, ({ value }) => ["k", value?.id ?? null]);
  // @ts-expect-error: the topic takes pairs and records, not bare values
  app.handle(events, { sink: words }, () => "text");
  // @ts-expect-error: the record is of the wrong value
  app.handle(words, { sink: events }, ({ value }) => ({ value }));
  // @ts-expect-error: a function as onError takes a HandlerError
  app.handle(words, { onError: (error: string) => error }, () => {});
  // @ts-expect-error: neither a policy nor a topic
  app.handle(words, { onError: "ignore" }, () => {});
  // @ts-expect-error: the first stage takes numbers, the messages are strings
  app.handle(["a"].values(), { pipe: [pairs] }, () => {});
  // @ts-expect-error: the handler takes what the pipe emits
  app.handle([1], { pipe: [new TransformStream<number, string>()] }, (n: number) => n);
  // @ts-expect-error: what the function makes takes strings, the messages are numbers
  app.handle([1], { pipe: [() => new TransformStream<string, string>()] }, () => {});
  // @ts-expect-error: a topic's name is no number
  new Topic([5]);
  // @ts-expect-error: the codec is of another type
  new Topic<string, number>("numbers", {}, { value: json<string>() });
}

async function* pairs(numbers: AsyncIterable<number>): AsyncGenerator<readonly number[]> {
  for await (const n of numbers) yield [n, n];
}

Deno.test("handle() infers from codecs and pipes, tombstones included", () => void compiledMore);

/** `true` if two types are the same, not only assignable to each other. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles if the value has exactly this type. */
function typed<Expected>() {
  return <Actual>(_value: Actual, _isSame: Same<Actual, Expected>) => {};
}

/** Never run, like the others: inferred types. */
function inferred(app: Slipstream, source: BatchSource<{ id: number }>): void {
  const words = new Topic("words");
  const table = new Cache<string | null>();
  const texts: string[] = [], totals = new WritableStream<number>();
  const sink = (text: string) => texts.push(text);

  // The messages of a source, and of several sources.
  app.handle([1, 2], (n) => typed<number>()(n, true));
  app.handle(["a"].values(), {}, (text) => typed<string>()(text, true));
  app.handle(ReadableStream.from(["a"]), { name: "read" }, (text) => typed<string>()(text, true));
  app.handle([source, [1].values()], (message) => typed<number | { id: number }>()(message, true));
  app.handle(words, ({ key, value }) => typed<(string | null)[]>()([key, value], true));
  app.handle(table, ([, value]) => typed<string | null | undefined>()(value, true));

  // What a handler may return.
  app.handle([1], { sink }, (n) => `${n}`);
  app.handle([1], { sink }, (n) => n > 0 ? `${n}` : undefined);
  app.handle([1], { sink }, (n) => {
    if (n > 0) return `${n}`;
  });
  app.handle([1], { sink }, () => {});
  app.handle([1], { sink }, async (n) => await Promise.resolve(`${n}`));
  app.handle([1], { sink }, async (n) => {
    if (n > 0) return await Promise.resolve(`${n}`);
  });
  app.handle([1], { sink }, function* (n) {
    yield n > 0 ? `${n}` : undefined;
    return n;
  });
  app.handle([1], { sink }, async function* (n) {
    yield await Promise.resolve(`${n}`);
  });
  app.handle([1], { sink }, () => ["a", "b"].values());
  app.handle([1], (n) => [n]);

  // Several sinks: all must take the value. A sink that takes anything restricts nothing.
  const either = (value: string | number) => value;
  app.handle([1], { sink: [either, totals, console.log] }, (n) => n);
  app.handle([1], { sink: [totals, { writable: totals }] }, (n) => n);
  app.handle([1], { sink: texts.map(() => sink) }, (n) => `${n}`);
  // @ts-expect-error: only one of them takes numbers
  app.handle([1], { sink: [either, sink] }, (n) => n);
  // @ts-expect-error: no value is both
  app.handle([1], { sink: [totals, sink] }, (n) => n);
  // @ts-expect-error: the handler may emit a value that one of them can't take
  app.handle([1], { sink }, (n) => n > 0 ? `${n}` : n);
  // @ts-expect-error: null is a value
  app.handle([1], { sink }, (n) => n > 0 ? `${n}` : null);

  // Pairs are pairs.
  app.handle(words, { sink: words }, (m) => [m.key, m.value]);
  app.handle(words, { sink: words }, async (m) => [m.key, await Promise.resolve(m.value)]);
  app.handle(words, { sink: [words, console.log] }, function* (m) {
    yield [m.key, m.value];
  });
  app.handle(words, { sink: [words, table] }, async function* (m) {
    if (m.key !== null) yield [m.key, await Promise.resolve(m.value)];
  });
  app.handle(words, { sink: table }, (m) => m.key === null ? undefined : [m.key, m.value]);
  app.handle(words, { sink: table }, (m) => [["by", m.partition], m.value]);
  app.handle(words, { sink: table }, ({ key, value }) => ({ key: key ?? "none", value }));
  // @ts-expect-error: a key may be null
  app.handle(words, { sink: table }, (m) => [m.key, m.value]);
  // @ts-expect-error: three elements are not a pair
  app.handle(words, { sink: words }, (m) => [m.key, m.value, 1]);

  // Options.
  const retry = { maxAttempts: 2, isRetriable: (error: unknown) => error instanceof Error };
  app.handle(words, { concurrency: 2, by: (m) => typed<string | null>()(m.key, true), retry, sink }, () => "a");
  app.handle(words, { onError: (error) => typed<HandlerError>()(error, true), sink }, () => "a");
  app.handle(words, { onError: words, retry: {} }, () => {});
  app.handle(words, { onError: "skip" }, () => {});
  app.handle([1], { pipe: [halves], concurrency: 2, by: (text) => typed<string>()(text, true) }, () => {});
  // @ts-expect-error: the option is misspelled
  app.handle([1], { sinks: sink }, () => "a");
  // @ts-expect-error: no number of attempts
  app.handle([1], { retry: { maxAttempts: "2" } }, () => "a");
  // @ts-expect-error: the handler is missing
  app.handle([1], { sink });
}

async function* halves(numbers: AsyncIterable<number>): AsyncGenerator<string> {
  for await (const n of numbers) yield `${n / 2}`;
}

Deno.test("handle() infers the types of sources, pipes and sinks", () => void inferred);

/** Never run: pipes of one to ten stages. */
function pipes(app: Slipstream): void {
  const boxed = async function* <T>(values: AsyncIterable<T>) {
    for await (const value of values) yield { value };
  };
  const a = (numbers: AsyncIterable<number>) => halves(numbers);
  const b = new TransformStream<string, boolean>();
  const c = () => new TransformStream<boolean, number>();

  app.handle([1], { pipe: [a] }, (one) => typed<string>()(one, true));
  app.handle([1], { pipe: [a, b] }, (one) => typed<boolean>()(one, true));
  app.handle([1], { pipe: [a, b, c] }, (one) => typed<number>()(one, true));
  app.handle([1], { pipe: [a, b, c, a] }, (one) => typed<string>()(one, true));
  app.handle([1], { pipe: [a, b, c, a, b] }, (one) => typed<boolean>()(one, true));
  app.handle([1], { pipe: [a, b, c, a, b, c] }, (one) => typed<number>()(one, true));
  app.handle([1], { pipe: [a, b, c, a, b, c, a] }, (one) => typed<string>()(one, true));
  app.handle([1], { pipe: [a, b, c, a, b, c, a, b] }, (one) => typed<boolean>()(one, true));
  app.handle([1], { pipe: [a, b, c, a, b, c, a, b, c] }, (one) => typed<number>()(one, true));
  app.handle([1], { pipe: [a, b, c, a, b, c, a, b, c, a] }, (one) => typed<string>()(one, true));
  app.handle([1], { pipe: [(numbers) => halves(numbers), b] }, (one) => typed<boolean>()(one, true));
  app.handle([1], { pipe: [(values) => boxed(values), (values) => boxed(values)] }, ({ value }) => {
    typed<number>()(value.value, true);
  });
  app.handle([1], {
    pipe: [
      async function* (numbers) {
        for await (const n of numbers) yield [n, n * 2] as const;
      },
      async function* (both) {
        for await (const [n, twice] of both) yield `${n} and ${twice}`;
      },
    ],
  }, (text) => typed<string>()(text, true));

  // @ts-expect-error: more than ten
  app.handle([1], { pipe: [a, b, c, a, b, c, a, b, c, a, b] }, () => {});
  // @ts-expect-error: the second can't take what the first emits
  app.handle([1], { pipe: [a, a] }, () => {});
  // @ts-expect-error: the tenth can't take what the ninth emits
  app.handle([1], { pipe: [a, b, c, a, b, c, a, b, c, b] }, () => {});
  // @ts-expect-error: a stage outside an array
  app.handle([1], { pipe: a }, () => {});
  // @ts-expect-error: no stage at all
  app.handle([1], { pipe: [] }, () => {});
}

Deno.test("handle() infers through pipes of up to ten stages", () => void pipes);
