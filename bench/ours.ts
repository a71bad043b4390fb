/**
 * One measurement of slipstream, in a process of its own as the C program's are.
 *
 * `ours.ts CODEC produce SERVERS TOPIC MESSAGES VALUE_BYTES KEY_BYTES`, `ours.ts CODEC consume SERVERS TOPIC MESSAGES`,
 * `ours.ts CODEC move SERVERS FROM MESSAGES TO GROUP`; the codec is `bytes` or `text`. Prints what `peer.c` prints.
 *
 * @module
 */

import { bytes, type Codec, Slipstream, text, Topic, type TopicInput } from "../mod.ts";
import { type BatchSink, openSink } from "../src/protocol/protocol.ts";

/** A codec, and what it makes of so many bytes. */
interface Kind<T extends { readonly length: number }> {
  readonly codec: Codec<T>;
  readonly filled: (size: number) => T;
}

/** When things happened. */
class Clock {
  #start: number | undefined;
  #end = 0;

  /** Starts, once. */
  start(): void {
    this.#start ??= performance.now();
  }

  /** The latest end so far. */
  end(): void {
    this.#end = performance.now();
  }

  /** Prints the measurement. */
  report(messages: number, bytes: number): void {
    console.log(JSON.stringify({ messages, bytes, seconds: (this.#end - this.#start!) / 1000 }));
  }
}

/** A topic as a sink that tells when it has settled: closing the client is not measured, here or in C. */
function timed<T>(sink: BatchSink<T>, clock: Clock): BatchSink<T> {
  return {
    [openSink]() {
      const writer = sink[openSink]();
      return {
        accept: (value, delivery, message) => writer.accept(value, delivery, message),
        settle: (delivery) => writer.settle(delivery)?.then(() => clock.end()),
        close: (reason) => writer.close(reason),
      };
    },
  };
}

async function produce<T extends { readonly length: number }>({ codec, filled }: Kind<T>, args: readonly string[]) {
  const [servers, name, messages, size, keySize] = args as [string, string, string, string, string];
  const clock = new Clock();
  await using topic = new Topic(name, { "bootstrap.servers": servers, "linger.ms": 5 }, { key: codec, value: codec });
  const value = filled(+size);
  const record = { key: +keySize === 0 ? null : filled(+keySize), value };
  function* records(): Generator<TopicInput<T, T>> {
    clock.start();
    for (let i = 0; i < +messages; i++) yield record;
  }
  // Connected, and with a producer id, as in C.
  await topic.send(null, filled(4));
  const app = new Slipstream();
  app.handle(records(), { sink: timed(topic, clock) }, (r) => r);
  await app.stream();
  clock.report(+messages, +messages * value.length);
}

async function consume<T extends { readonly length: number }>({ codec }: Kind<T>, args: readonly string[]) {
  const [servers, name, messages] = args as [string, string, string];
  const clock = new Clock();
  await using topic = new Topic(name, { "bootstrap.servers": servers }, {
    key: codec,
    value: codec,
    offset: "beginning",
    until: "end",
  });
  let count = 0, size = 0;
  const app = new Slipstream();
  app.handle(topic, (message) => {
    if (count === 0) clock.start();
    size += message.value!.length;
    if (++count === +messages) clock.end();
  });
  await app.stream();
  clock.report(count, size);
}

async function move<T extends { readonly length: number }>({ codec, filled }: Kind<T>, args: readonly string[]) {
  const [servers, fromName, , toName, group] = args as [string, string, string, string, string];
  const clock = new Clock();
  const conf = { "bootstrap.servers": servers, "linger.ms": 5, "group.id": group };
  const codecs = { key: codec, value: codec };
  await using from = new Topic(fromName, conf, { ...codecs, offset: "beginning", until: "end" });
  await using to = new Topic(toName, conf, codecs);
  await to.send(null, filled(4));
  let count = 0, size = 0;
  const app = new Slipstream();
  app.handle(from, { sink: timed(to, clock) }, (m) => {
    if (count++ === 0) clock.start();
    size += m.value!.length;
    return [m.key, m.value];
  });
  await app.stream();
  clock.report(count, size);
}

const KINDS = {
  bytes: { codec: bytes, filled: (size) => new Uint8Array(size).fill(120) } satisfies Kind<Uint8Array>,
  text: { codec: text, filled: (size) => "x".repeat(size) } satisfies Kind<string>,
};
const MODES = { produce, consume, move };

const [codec, mode, ...args] = Deno.args as [keyof typeof KINDS, keyof typeof MODES, ...string[]];
// Each mode takes either kind; which one is not known before it runs.
await MODES[mode](KINDS[codec] as Kind<string>, args);
