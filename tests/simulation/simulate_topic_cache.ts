/**
 * Runs programs over the real Topic, on Kafka in memory, and the real Cache, on Deno KV in memory.
 *
 * @module
 */

import { VirtualTime } from "./virtual_time.ts";
import { Cache } from "../../src/cache/cache.ts";
import { registerStore } from "../support/registered_store.ts";
import { text } from "../../src/codecs/text.ts";
import type { Binding } from "../../src/stream/binding.ts";
import { Slipstream } from "../../src/stream/slipstream.ts";
import { MemoryKafka, type RecordOutcome } from "../../src/testing/memory_kafka.ts";
import { Topic } from "../../src/topic/topic.ts";
import { MemoryKv } from "../support/memory_kv.ts";
import type { TopicCacheEvent, TopicCacheLife, TopicCacheProgram } from "./topic_cache_program.ts";
import { type Output, WatchedCache, WatchedTopic } from "./topic_cache_sinks.ts";
import { faultAt, GROUP, LETTERS, TopicCacheModel } from "./topic_cache_model.ts";

/** The outcome of a program. */
export interface TopicCacheOutcome {
  readonly violations: readonly string[];
  /** How many times a handler was called. */
  readonly begun: number;
  readonly endings: readonly string[];
}

/**
 * How long a run may take to end after its stop: a message that one handler has begun waits for its key at another one, 6 s
 * for each message.
 */
const END_MS = 1_500_000;
/** How long a close may take: a Topic waits 30 s for its records, and 5 s for its group. */
const CLOSE_MS = 45_000;
/** How long a life without faults may take. */
const LAST_MS = 5_000_000;
/** The most lives of a program. Each failure ends a life, and no program has more failures. */
const MOST_LIVES = 80;

let stores = 0;
/** The owner of the timers of the process, which a crash removes. */
const PROCESS = "process";

/** The apps, Topics and Caches of a process, until it crashes or closes them. */
interface Opened {
  isDead: boolean;
  readonly apps: readonly Slipstream[];
  /** The Topics that are read, by app and source. */
  readonly inputs: readonly (readonly Topic[])[];
  readonly outs: readonly Topic[];
  readonly letters: Topic;
  readonly caches: readonly Cache<number>[];
  readonly watchedCaches: readonly WatchedCache[];
  /** The bindings, by app and handler. */
  readonly bindings: readonly (readonly Binding[])[];
  readonly stopped: Set<string>;
  /** The calls of `send()` and the writes beside the apps that are pending. */
  readonly beside: Set<string>;
  writable:
    | { readonly writer: WritableStreamDefaultWriter<readonly [string, string]>; readonly seqs: number[] }
    | undefined;
  release(): void;
}

class TopicCacheWorld {
  readonly program: TopicCacheProgram;
  /** The turns of the event loop between two timers: a Cache commits in a turn of its own. */
  readonly time = new VirtualTime(3);
  readonly kafka: MemoryKafka;
  readonly model: TopicCacheModel;
  readonly endings: string[] = [];
  #kvs: MemoryKv[];
  #opened: Opened | undefined;
  #produced = 0;
  #throws = new Map<string, number>();
  #onMessage: (count: number) => void = () => {};
  #handled = 0;
  /** Whether a commit of a Cache never ends: only a crash does. */
  #isStuck = false;

  constructor(program: TopicCacheProgram) {
    this.program = program;
    let seed = program.seed * 2 + 1;
    const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) / 0x80000000;
    const { delayMs } = program;
    this.kafka = new MemoryKafka({ random, delayMs });
    this.model = new TopicCacheModel(program, this.kafka);
    this.#kvs = this.model.disks.map((_, n) => this.#kv(n));
    program.sources.forEach((partitions, source) => {
      const topic = `in${source}`;
      this.kafka.createTopic(topic, { partitions: partitions.length });
      partitions.forEach((count, partition) => {
        for (let n = 0; n < count; n++) {
          const value = this.model.record(topic, partition, n);
          this.kafka.append({ topic, partition }, { key: `${topic}/${partition}`, value });
        }
      });
    });
    for (let out = 0; out < program.topics; out++) {
      this.kafka.createTopic(`out${out}`, { partitions: program.outPartitions });
    }
    this.kafka.createTopic(LETTERS, { partitions: program.outPartitions });
    this.kafka.faults.commit = ({ topic, partition, offset }) => this.model.committing(topic, partition, offset);
    this.kafka.faults.produce = (record) => {
      const kind = faultAt(program.produce, this.#produced++);
      this.model.produced(record, kind);
      return kind === undefined ? undefined : fateOf(kind);
    };
  }

  #kv(n: number, from?: MemoryKv): MemoryKv {
    const disk = this.model.disks[n]!;
    return new MemoryKv({
      ...(from === undefined ? {} : { from: from.snapshot() }),
      limits: false,
      onMade: (mutations) => disk.made(mutations),
      onCommit: (mutations) => {
        const kind = this.model.nextCommit();
        if (kind === undefined) return "made";
        if (kind === "never") {
          this.#isStuck = true;
          return "never";
        }
        if (kind === "slow") return sleep(300).then(() => "made" as const);
        disk.failed(mutations);
        return { error: new Error("the disk is full"), made: kind === "failsMade" };
      },
    });
  }

  #open(): Opened {
    const { program, kafka, model } = this;
    const conf = {
      "bootstrap.servers": kafka.bootstrapServers,
      "group.id": GROUP,
      "auto.offset.reset": "earliest" as const,
      "session.timeout.ms": 6000,
      "queue.buffering.max.messages": program.room,
      ...(program.isCooperative ? { "partition.assignment.strategy": "cooperative-sticky" as const } : {}),
    };
    const stored = model.disks.map((disk, n) => {
      disk.restart();
      return registerStore(`opened-${++stores}`, () => this.#kvs[n]!.open());
    });
    const later = program.encodesLater;
    const outValue = later
      ? { ...plainText, encode: async (value: string) => (await undefined, text.encode(value)) }
      : text;
    const outs = Array.from({ length: program.topics }, (_, n) => new Topic(`out${n}`, conf, { value: outValue }));
    const letters = new Topic(LETTERS, conf);
    const caches = stored.map(({ path }) => new Cache<number>(path));
    const opened: { -readonly [K in keyof Opened]: Opened[K] } = {
      isDead: false,
      apps: Array.from({ length: program.apps }, () => new Slipstream()),
      inputs: Array.from(
        { length: program.apps },
        () => program.sources.map((_, source) => new Topic(`in${source}`, conf, { value: this.#unreadable(source) })),
      ),
      outs,
      letters,
      caches,
      watchedCaches: [],
      bindings: [],
      stopped: new Set(),
      beside: new Set(),
      writable: undefined,
      release: () => stored.forEach((store) => store[Symbol.dispose]()),
    };
    opened.watchedCaches = caches.map((cache, n) => new WatchedCache(n, cache, model, opened));
    const sinks = [
      ...opened.watchedCaches,
      ...outs.map((topic, n) => WatchedTopic.of(`out${n}`, topic, model, opened)),
    ];
    opened.bindings = opened.apps.map((app, index) =>
      program.handlers.map((_, handler) => this.#bind(app, opened, index, handler, sinks))
    );
    return opened;
  }

  /** The codec of a source. Its first attempts at some values fail. */
  #unreadable(source: number) {
    const { program, model } = this;
    if (program.unreadable.length === 0) return text;
    return {
      ...plainText,
      decode: (bytes: Uint8Array) => {
        const record = text.decode(bytes) as string;
        if (!this.#fails(`read ${record}`, program.unreadable, record)) return record;
        for (const handler of model.handlersOf(source)) model.outcome(record, handler).hasFailed = true;
        throw new Error(`${record} can't be read`);
      },
    };
  }

  #fails(what: string, specs: readonly { readonly at: number; readonly times: number }[], record: string): boolean {
    const spec = specs.find(({ at }) => record.endsWith(`@${at}`));
    if (spec === undefined) return false;
    const count = (this.#throws.get(what) ?? 0) + 1;
    this.#throws.set(what, count);
    return count <= spec.times;
  }

  #bind(app: Slipstream, opened: Opened, index: number, handler: number, sinks: readonly unknown[]): Binding {
    const { program, model } = this;
    const spec = program.handlers[handler]!, source = spec.source % program.sources.length;
    const begin = (record: string) => {
      if (opened.isDead) return;
      const outcome = model.begin(record, handler);
      this.#onMessage(this.#handled++);
      if (!this.#fails(`${handler} ${record}`, spec.throws, record)) return;
      outcome.hasFailed = true;
      throw new Error(`${record} can't be handled`);
    };
    const outputs = (record: string): Output[] => {
      model.outcome(record, handler).isOk = true;
      const key = record.split("@")[0]!;
      return Array.from({ length: spec.emits }, (_, n) => ({ id: `${record}>${handler}.${n}`, key }));
    };
    const all = function* (record: string) {
      yield* outputs(record);
    };
    const handle = spec.isAsync
      ? async function* ({ value }: { value: string }) {
        begin(value);
        if (spec.ms > 0) await sleep(spec.ms);
        // Nothing of a process goes on after its crash.
        if (opened.isDead) await new Promise(() => {});
        yield* outputs(value);
      }
      : ({ value }: { value: string }) => {
        begin(value);
        return spec.emits === 1 ? outputs(value)[0] : all(value);
      };
    const onError = ({ topic, partition, offset }: { topic?: string; partition?: number; offset?: number }) => {
      model.outcome(model.record(topic!, partition!, offset!), handler).isDisposed = true;
    };
    return (app.handle as (...args: unknown[]) => Binding)(opened.inputs[index]![source], {
      name: `h${handler}`,
      sink: model.sinksOf(handler).map((sink) => sinks[sink]),
      ...(spec.concurrency > 1 ? { concurrency: spec.concurrency, by: ({ key }: { key: string }) => key } : {}),
      ...(spec.attempts === 1 ? {} : {
        retry: {
          maxAttempts: spec.attempts,
          minTimeout: spec.retryMs,
          maxTimeout: Math.max(1, spec.retryMs),
          jitter: 0,
        },
      }),
      onError: spec.onError === "letters" ? opened.letters : spec.onError === "function" ? onError : spec.onError,
    }, handle);
  }

  // Events

  /** Ends the process: brokers and disks keep what they have. */
  async #crash(): Promise<void> {
    const opened = this.#opened!;
    opened.isDead = true;
    for (const kv of this.#kvs) kv.crash();
    this.time.clear(PROCESS);
    // A client that is just being created belongs to the same process. Groups notice the crash later.
    for (let turn = 0; turn < 4; turn++) {
      this.time.owner = "group";
      this.kafka.crash();
      this.time.owner = PROCESS;
      await this.time.turn();
    }
    this.time.clear(PROCESS);
    opened.release();
    this.#kvs = this.#kvs.map((kv, n) => this.#kv(n, kv));
    this.kafka.setUp();
    this.#opened = undefined;
    this.#isStuck = false;
  }

  #send(opened: Opened, of: number): void {
    const { model } = this;
    const seq = model.nextSeq(), what = `send() of ${seq}`;
    opened.beside.add(what);
    opened.outs[of % opened.outs.length]!.send("beside", `sent${seq}#${seq}#${model.life}`).then(() => {
      opened.beside.delete(what);
      if (!opened.isDead && !model.isWritten(seq)) model.violate(`${what} has resolved, and it is not written`);
    }, (error) => {
      opened.beside.delete(what);
      if (opened.isDead || model.failed.has(seq) || model.isDisturbed) return;
      model.violate(`${what} has rejected, and nothing had failed it: ${error}`);
    });
  }

  #write(opened: Opened): void {
    const { model } = this;
    const seq = model.nextSeq();
    // The stream before is closing, and locks the Topic's writable until its last write has ended.
    if (opened.writable === undefined && opened.outs[0]!.writable.locked) return;
    opened.writable ??= { writer: opened.outs[0]!.writable.getWriter(), seqs: [] };
    const { writer, seqs } = opened.writable;
    writer.closed.catch(() => {});
    seqs.push(seq);
    writer.write(["beside", `written${seq}#${seq}#${model.life}`]).catch(() => {});
  }

  #closeWritable(opened: Opened): void {
    const { model } = this, { writable } = opened;
    if (writable === undefined) return;
    opened.writable = undefined;
    const what = `the end of a writable with ${writable.seqs.join()}`;
    opened.beside.add(what);
    writable.writer.close().then(() => {
      opened.beside.delete(what);
      if (!opened.isDead && !writable.seqs.every((seq) => model.isWritten(seq))) model.violate(`${what}: not written`);
    }, (error) => {
      opened.beside.delete(what);
      if (opened.isDead || model.isDisturbed || writable.seqs.some((seq) => model.failed.has(seq))) return;
      model.violate(`${what} rejects, and nothing had failed it: ${error}`);
    });
  }

  #seek(opened: Opened, of: number): void {
    const app = of % opened.inputs.length, topics = opened.inputs[app]!;
    topics[(of >> 1) % topics.length]!.seek("beginning").catch(() => {}); // Its reader may end first.
  }

  #happen(opened: Opened, { what, of }: TopicCacheEvent, stops: readonly AbortController[], crash: () => void): void {
    const { kafka, model, program } = this;
    if (opened.isDead) return;
    switch (what) {
      case "crash":
        return crash();
      case "abort":
        return stops.forEach((stop) => stop.abort());
      case "stopApp":
        return stops[of % stops.length]!.abort();
      case "rebalance":
      case "lose":
        return what === "lose" ? kafka.loseMember(GROUP, of) : kafka.rebalance(GROUP);
      case "seek":
        return this.#seek(opened, of);
      case "stopBinding": {
        const app = of % program.apps, handler = (of >> 1) % program.handlers.length;
        model.removed.add(handler);
        return opened.bindings[app]![handler]!.stop();
      }
      case "send":
        return this.#send(opened, of);
      case "write":
        return this.#write(opened);
      case "closeWritable":
        return this.#closeWritable(opened);
      case "burst": {
        const cache = opened.watchedCaches[of % opened.watchedCaches.length]!;
        for (let n = 0; n < 520; n++) cache.set(`burst/${n}`);
        cache.set("hot/0");
        return;
      }
      case "fatal": {
        const { producers } = kafka;
        if (producers.length === 0) return;
        model.isDisturbed = true;
        return producers[of % producers.length]!.reportError(-150);
      }
      case "down":
        kafka.setDown();
        setTimeout(() => kafka.setUp(), 700);
    }
  }

  // Lives

  /** Runs a life; returns whether it was the last one: everything is done. */
  async live({ events, ms, goesOn }: TopicCacheLife, isLast = false): Promise<boolean> {
    const { model, time } = this;
    if (this.#opened === undefined) model.isDisturbed = false;
    const opened = this.#opened ??= this.#open();
    const life = ++model.life;
    this.#handled = 0;
    const began = time.now;
    const stops = opened.apps.map(() => new AbortController());
    let running = 0, isCrashing = false;
    const crash = () => isCrashing = true;
    for (const event of events) {
      if (event.on !== "ms") continue;
      setTimeout(() => {
        // Events of a life that has ended don't reach the next one.
        if (model.life === life) this.#happen(opened, event, stops, crash);
      }, event.at * 10);
    }
    this.#onMessage = (count) => {
      for (const event of events) {
        if (event.on === "message" && event.at === count) this.#happen(opened, event, stops, crash);
      }
    };
    let hasFailed = false;
    opened.apps.forEach((app, index) => {
      running++;
      const ended = (error?: unknown) => {
        running--;
        if (opened.isDead) return;
        this.endings.push(`${index}: ${error ?? "resolved"}`);
        hasFailed ||= error !== undefined;
        if (/did not end within/.test(String(error)) && !this.#isStuck) model.violate(`app ${index}: ${error}`);
      };
      app.stream({ signal: stops[index]!.signal, shutdownTimeoutMs: END_MS, handleSignals: false })
        .then(() => ended(), ended);
    });
    const passed = (limit: number) => time.now - began > limit;
    const isOver = () => running === 0 || isCrashing || model.violations.length > 0;
    await time.passUntil(() => {
      if (isOver() || passed(isLast ? LAST_MS : ms)) return true;
      // A life may go on with one app after the other has failed.
      return isLast && (hasFailed || (this.#isAllCommitted && model.isAllDone));
    });
    if (!isCrashing && !this.#isStuck) {
      for (const stop of stops) stop.abort();
      const stopped = time.now;
      await time.passUntil(() => isOver() || time.now - stopped > END_MS + 5000);
      if (running > 0 && !isCrashing && !this.#isStuck) model.violate("stream() hangs after its stop");
    }
    if (model.violations.length > 0) return false;
    if (isCrashing || this.#isStuck) {
      this.endings.push("crashed");
      await this.#crash();
      return false;
    }
    // A life is over when offsets are committed, which takes a while, or a close.
    const isAllDone = !hasFailed && this.#isAllCommitted && model.isAllDone;
    if (isLast && !hasFailed && !isAllDone) model.violate("not everything is handled and committed in the end");
    if (goesOn && !isLast && model.removed.size === 0) return false;
    await this.#close(opened);
    return isAllDone;
  }

  /** Closes everything. */
  async #close(opened: Opened): Promise<void> {
    const { time, model } = this;
    this.#closeWritable(opened);
    let began = time.now;
    await time.passUntil(() => opened.beside.size === 0 || this.#isStuck || time.now - began > CLOSE_MS);
    if (opened.beside.size > 0 && !this.#isStuck) model.violate(`${[...opened.beside].join("; ")} hangs`);
    let isClosed = false;
    const topics = [...opened.inputs.flat(), ...opened.outs, opened.letters];
    Promise.all([...topics, ...opened.caches].map((room) => room.close())).then(() => isClosed = true, (error) => {
      isClosed = true;
      model.violate(`a close fails: ${error}`);
    });
    began = time.now;
    await time.passUntil(() => isClosed || this.#isStuck || time.now - began > CLOSE_MS);
    if (!isClosed && !this.#isStuck) model.violate("a close hangs");
    await this.#crash();
  }

  get #isAllCommitted(): boolean {
    const { kafka, program, model } = this;
    return program.sources.every((partitions, source) =>
      model.handlersOf(source).length === 0 ||
      partitions.every((count, partition) =>
        count === 0 || kafka.committed(GROUP, { topic: `in${source}`, partition }) === count
      )
    );
  }

  async play(): Promise<void> {
    const { program, model } = this;
    for (const life of program.lives) {
      await this.live(life);
      if (model.violations.length > 0) return;
    }
    for (let count = 0; !await this.live({ events: [], ms: LAST_MS, goesOn: false }, true); count++) {
      if (model.violations.length > 0) return;
      if (count > MOST_LIVES) return model.violate("it never comes to its end");
    }
  }
}

const plainText = {
  name: text.name,
  encode: (value: string) => text.encode(value),
  decode: (b: Uint8Array) => text.decode(b),
};

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function fateOf(kind: "refused" | "refusedLater" | "unacknowledged" | "slow"): RecordOutcome {
  switch (kind) {
    case "refused":
      return { code: 10 };
    case "refusedLater":
      return { code: 10, reportAfter: sleep(70) };
    case "unacknowledged":
      return { code: -192, written: true, reportAfter: sleep(20) };
    case "slow":
      return { reportAfter: sleep(400) };
  }
}

let unhandled: ((reason: unknown) => void) | undefined;
globalThis.addEventListener("unhandledrejection", (event) => {
  if (unhandled === undefined) return;
  event.preventDefault();
  unhandled(event.reason);
});

/** Runs a program; the outcome lists its violations. */
export async function simulateTopicCache(program: TopicCacheProgram): Promise<TopicCacheOutcome> {
  const world = new TopicCacheWorld(program), { model, time, endings } = world;
  const { warn } = console;
  time.install(20);
  time.owner = PROCESS;
  unhandled = (reason) => model.violate(`nobody handles a rejection: ${Deno.inspect(reason)}`);
  // Topics log notices about brokers that fail.
  console.warn = () => {};
  try {
    await world.play();
  } finally {
    unhandled = undefined;
    console.warn = warn;
    time.uninstall();
    world.kafka.close();
  }
  return { violations: model.violations, begun: model.begun, endings };
}
