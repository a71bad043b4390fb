import { type BatchSource, type Slipstream, transform } from "@slipstream/slipstream";

/** Never run: the compiler is what is tested. Each `@ts-expect-error` fails `deno check` when there is no error. */
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
  app.handle([1], (_n, args: { name: string }) => args.name);

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
  // @ts-expect-error: the arguments are unknown until the handler says what they are
  app.handle([1], (_n, args) => args.name);
  // @ts-expect-error: a number can't be read
  app.handle(5, () => {});

  const out: ReadableStream<string> = ReadableStream.from([1]).pipeThrough(transform((n: number) => n.toFixed()));
  // @ts-expect-error: the transform emits strings
  const wrong: ReadableStream<number> = out;
  void wrong;
}

Deno.test("handle() infers messages and checks that sinks take what is emitted", () => void compiled);
