/**
 * Plays programs over the real Topic, on Kafka in memory, and the real Cache, on Deno KV in memory.
 *
 * @module
 */

import { VirtualTime } from "./virtual_time.ts";
import { Cache } from "../../src/cache/cache.ts";
import { registerStore } from "../support/registered_store.ts";
import { text } from "../../src/codecs/text.ts";
import type { Binding } from "../../src/stream/binding.ts";
import { Slipstream } from "../../src/stream/slipstream.ts";
import { MemoryKafka, type RecordFate } from "../../src/testing/memory_kafka.ts";
import { Topic } from "../../src/topic/topic.ts";
import { MemoryKv } from "../support/memory_kv.ts";
import type { RoomsEvent, RoomsLife, RoomsProgram } from "./rooms_program.ts";
import { type Output, WatchedCache, WatchedTopic } from "./rooms_sinks.ts";
import { faultAt, GROUP, LETTERS, Truth } from "./rooms_truth.ts";

/** What came of a program. */
export interface RoomsOutcome {
  readonly violations: readonly string[];
  /** How many messages handlers began. */
  readonly begun: number;
  readonly endings: readonly string[];
}

/**
 * How long a run may take to end after its stop: what one handler began waits in the pool of another, 6 s for each
 * message.
 */
const END_MS = 1_500_000;
/** How long a close may take: it waits 30 s for records, and 5 s for a group. */
const CLOSE_MS = 45_000;
/** How long everything may take in a life without faults. */
const LAST_MS = 5_000_000;
/** Each failure ends a life: no program has more of them. */
const MOST_LIVES = 80;

let stores = 0;
/** Whose timers are forgotten when it crashes. */
const PROCESS = "process";

/** What a process has until it crashes, or closes it. */
interface Rooms {
  isDead: boolean;
  readonly apps: readonly Slipstream[];
  /** By app and source. */
  readonly inputs: readonly (readonly Topic[])[];
  readonly outs: readonly Topic[];
  readonly letters: Topic;
  readonly caches: readonly Cache<number>[];
  readonly watchedCaches: readonly WatchedCache[];
  /** By app and handler. */
  readonly bindings: readonly (readonly Binding[])[];
  readonly stopped: Set<string>;
  /** What is sent and written beside the apps, until it is answered. */
  readonly beside: Set<string>;
  writable:
    | { readonly writer: WritableStreamDefaultWriter<readonly [string, string]>; readonly seqs: number[] }
    | undefined;
  release(): void;
}

class RoomsWorld {
  readonly program: RoomsProgram;
  /** A Cache commits in a turn of its own. */
  readonly time = new VirtualTime(3);
  readonly kafka: MemoryKafka;
  readonly truth: Truth;
  readonly endings: string[] = [];
  #kvs: MemoryKv[];
  #rooms: Rooms | undefined;
  #produced = 0;
  #throws = new Map<string, number>();
  #onMessage: (count: number) => void = () => {};
  #handled = 0;
  /** A commit of a Cache never comes: only a crash ends that. */
  #isStuck = false;

  constructor(program: RoomsProgram) {
    this.program = program;
    let seed = program.seed * 2 + 1;
    const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) / 0x80000000;
    const { delayMs } = program;
    this.kafka = new MemoryKafka({ random, delayMs });
    this.truth = new Truth(program, this.kafka);
    this.#kvs = this.truth.disks.map((_, n) => this.#kv(n));
    program.sources.forEach((partitions, source) => {
      const topic = `in${source}`;
      this.kafka.createTopic(topic, partitions.length);
      partitions.forEach((count, partition) => {
        for (let n = 0; n < count; n++) {
          const value = this.truth.record(topic, partition, n);
          this.kafka.append({ topic, partition }, { key: `${topic}/${partition}`, value });
        }
      });
    });
    for (let out = 0; out < program.topics; out++) this.kafka.createTopic(`out${out}`, program.outPartitions);
    this.kafka.createTopic(LETTERS, program.outPartitions);
    this.kafka.faults.commit = ({ topic, partition, offset }) => this.truth.committing(topic, partition, offset);
    this.kafka.faults.produce = (record) => {
      const kind = faultAt(program.produce, this.#produced++);
      this.truth.produced(record, kind);
      return kind === undefined ? undefined : fateOf(kind);
    };
  }

  #kv(n: number, from?: MemoryKv): MemoryKv {
    const disk = this.truth.disks[n]!;
    return new MemoryKv({
      ...(from === undefined ? {} : { from: from.snapshot() }),
      limits: false,
      onMade: (mutations) => disk.made(mutations),
      onCommit: (mutations) => {
        const kind = this.truth.nextCommit();
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

  #open(): Rooms {
    const { program, kafka, truth } = this;
    const conf = {
      "bootstrap.servers": kafka.bootstrapServers,
      "group.id": GROUP,
      "auto.offset.reset": "earliest" as const,
      "session.timeout.ms": 6000,
      "queue.buffering.max.messages": program.room,
      ...(program.isCooperative ? { "partition.assignment.strategy": "cooperative-sticky" as const } : {}),
    };
    const stored = truth.disks.map((disk, n) => {
      disk.restart();
      return registerStore(`rooms-${++stores}`, () => this.#kvs[n]!.open());
    });
    const later = program.encodesLater;
    const outValue = later
      ? { ...plainText, encode: async (value: string) => (await undefined, text.encode(value)) }
      : text;
    const outs = Array.from({ length: program.topics }, (_, n) => new Topic(`out${n}`, conf, { value: outValue }));
    const letters = new Topic(LETTERS, conf);
    const caches = stored.map(({ path }) => new Cache<number>(path));
    const rooms: { -readonly [K in keyof Rooms]: Rooms[K] } = {
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
    rooms.watchedCaches = caches.map((cache, n) => new WatchedCache(n, cache, truth, rooms));
    const sinks = [...rooms.watchedCaches, ...outs.map((topic, n) => WatchedTopic.of(`out${n}`, topic, truth, rooms))];
    rooms.bindings = rooms.apps.map((app, index) =>
      program.handlers.map((_, handler) => this.#bind(app, rooms, index, handler, sinks))
    );
    return rooms;
  }

  /** The codec of a source, which can't read some values the first so many times. */
  #unreadable(source: number) {
    const { program, truth } = this;
    if (program.unreadable.length === 0) return text;
    return {
      ...plainText,
      decode: (bytes: Uint8Array) => {
        const record = text.decode(bytes) as string;
        if (!this.#fails(`read ${record}`, program.unreadable, record)) return record;
        for (const handler of truth.handlersOf(source)) truth.outcome(record, handler).hasFailed = true;
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

  #bind(app: Slipstream, rooms: Rooms, index: number, handler: number, sinks: readonly unknown[]): Binding {
    const { program, truth } = this;
    const spec = program.handlers[handler]!, source = spec.source % program.sources.length;
    const begin = (record: string) => {
      if (rooms.isDead) return;
      const outcome = truth.begin(record, handler);
      this.#onMessage(this.#handled++);
      if (!this.#fails(`${handler} ${record}`, spec.throws, record)) return;
      outcome.hasFailed = true;
      throw new Error(`${record} can't be handled`);
    };
    const outputs = (record: string): Output[] => {
      truth.outcome(record, handler).isOk = true;
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
        // Of a process that has crashed nothing goes on.
        if (rooms.isDead) await new Promise(() => {});
        yield* outputs(value);
      }
      : ({ value }: { value: string }) => {
        begin(value);
        return spec.emits === 1 ? outputs(value)[0] : all(value);
      };
    const told = ({ topic, partition, offset }: { topic?: string; partition?: number; offset?: number }) => {
      truth.outcome(truth.record(topic!, partition!, offset!), handler).wasTold = true;
    };
    return (app.handle as (...args: unknown[]) => Binding)(rooms.inputs[index]![source], {
      name: `h${handler}`,
      sink: truth.sinksOf(handler).map((sink) => sinks[sink]),
      ...(spec.concurrency > 1 ? { concurrency: spec.concurrency, by: ({ key }: { key: string }) => key } : {}),
      ...(spec.attempts === 1 ? {} : {
        retry: {
          maxAttempts: spec.attempts,
          minTimeout: spec.retryMs,
          maxTimeout: Math.max(1, spec.retryMs),
          jitter: 0,
        },
      }),
      onError: spec.onError === "letters" ? rooms.letters : spec.onError === "function" ? told : spec.onError,
    }, handle);
  }

  // Events

  /** Ends the process: brokers and disks keep what they have. */
  async #crash(): Promise<void> {
    const rooms = this.#rooms!;
    rooms.isDead = true;
    for (const kv of this.#kvs) kv.crash();
    this.time.clear(PROCESS);
    // A client that was just being made is of the same process. Groups notice later.
    for (let turn = 0; turn < 4; turn++) {
      this.time.owner = "group";
      this.kafka.crash();
      this.time.owner = PROCESS;
      await this.time.turn();
    }
    this.time.clear(PROCESS);
    rooms.release();
    this.#kvs = this.#kvs.map((kv, n) => this.#kv(n, kv));
    this.kafka.setUp();
    this.#rooms = undefined;
    this.#isStuck = false;
  }

  #send(rooms: Rooms, of: number): void {
    const { truth } = this;
    const seq = truth.nextSeq(), what = `send() of ${seq}`;
    rooms.beside.add(what);
    rooms.outs[of % rooms.outs.length]!.send("beside", `sent${seq}#${seq}#${truth.life}`).then(() => {
      rooms.beside.delete(what);
      if (!rooms.isDead && !truth.isWritten(seq)) truth.violate(`${what} has resolved, and it is not written`);
    }, (error) => {
      rooms.beside.delete(what);
      if (rooms.isDead || truth.failed.has(seq) || truth.isDisturbed) return;
      truth.violate(`${what} has rejected, and nothing had failed it: ${error}`);
    });
  }

  #write(rooms: Rooms): void {
    const { truth } = this;
    const seq = truth.nextSeq();
    // The one before is closing: it is the Topic's until its last write is over.
    if (rooms.writable === undefined && rooms.outs[0]!.writable.locked) return;
    rooms.writable ??= { writer: rooms.outs[0]!.writable.getWriter(), seqs: [] };
    const { writer, seqs } = rooms.writable;
    writer.closed.catch(() => {});
    seqs.push(seq);
    writer.write(["beside", `written${seq}#${seq}#${truth.life}`]).catch(() => {});
  }

  #closeWritable(rooms: Rooms): void {
    const { truth } = this, { writable } = rooms;
    if (writable === undefined) return;
    rooms.writable = undefined;
    const what = `the end of a writable with ${writable.seqs.join()}`;
    rooms.beside.add(what);
    writable.writer.close().then(() => {
      rooms.beside.delete(what);
      if (!rooms.isDead && !writable.seqs.every((seq) => truth.isWritten(seq))) truth.violate(`${what}: not written`);
    }, (error) => {
      rooms.beside.delete(what);
      if (rooms.isDead || truth.isDisturbed || writable.seqs.some((seq) => truth.failed.has(seq))) return;
      truth.violate(`${what} rejects, and nothing had failed it: ${error}`);
    });
  }

  #seek(rooms: Rooms, of: number): void {
    const app = of % rooms.inputs.length, topics = rooms.inputs[app]!;
    topics[(of >> 1) % topics.length]!.seek("beginning").catch(() => {}); // its reader may end first
  }

  #happen(rooms: Rooms, { what, of }: RoomsEvent, stops: readonly AbortController[], crash: () => void): void {
    const { kafka, truth, program } = this;
    if (rooms.isDead) return;
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
        return this.#seek(rooms, of);
      case "stopBinding": {
        const app = of % program.apps, handler = (of >> 1) % program.handlers.length;
        truth.removed.add(handler);
        return rooms.bindings[app]![handler]!.stop();
      }
      case "send":
        return this.#send(rooms, of);
      case "write":
        return this.#write(rooms);
      case "closeWritable":
        return this.#closeWritable(rooms);
      case "burst": {
        const cache = rooms.watchedCaches[of % rooms.watchedCaches.length]!;
        for (let n = 0; n < 520; n++) cache.set(`burst/${n}`);
        cache.set("hot/0");
        return;
      }
      case "fatal": {
        const { producers } = kafka;
        if (producers.length === 0) return;
        truth.isDisturbed = true;
        return producers[of % producers.length]!.report(-150);
      }
      case "down":
        kafka.setDown();
        setTimeout(() => kafka.setUp(), 700);
    }
  }

  // Lives

  /** Plays a life; says whether everything was done in it. */
  async live({ events, ms, goesOn }: RoomsLife, isLast = false): Promise<boolean> {
    const { truth, time } = this;
    if (this.#rooms === undefined) truth.isDisturbed = false;
    const rooms = this.#rooms ??= this.#open();
    const life = ++truth.life;
    this.#handled = 0;
    const began = time.now;
    const stops = rooms.apps.map(() => new AbortController());
    let running = 0, isCrashing = false;
    const crash = () => isCrashing = true;
    for (const event of events) {
      if (event.on !== "ms") continue;
      setTimeout(() => {
        // What a life that has ended left behind is none of the next one's business.
        if (truth.life === life) this.#happen(rooms, event, stops, crash);
      }, event.at * 10);
    }
    this.#onMessage = (count) => {
      for (const event of events) {
        if (event.on === "message" && event.at === count) this.#happen(rooms, event, stops, crash);
      }
    };
    let hasFailed = false;
    rooms.apps.forEach((app, index) => {
      running++;
      const ended = (error?: unknown) => {
        running--;
        if (rooms.isDead) return;
        this.endings.push(`${index}: ${error ?? "resolved"}`);
        hasFailed ||= error !== undefined;
        if (/did not end within/.test(String(error)) && !this.#isStuck) truth.violate(`app ${index}: ${error}`);
      };
      app.stream({ signal: stops[index]!.signal, shutdownTimeoutMs: END_MS, handleSignals: false })
        .then(() => ended(), ended);
    });
    const passed = (limit: number) => time.now - began > limit;
    const isOver = () => running === 0 || isCrashing || truth.violations.length > 0;
    await time.passUntil(() => {
      if (isOver() || passed(isLast ? LAST_MS : ms)) return true;
      // A life in which one app has failed may go on with the other.
      return isLast && (hasFailed || (this.#isAllCommitted && truth.isAllDone));
    });
    if (!isCrashing && !this.#isStuck) {
      for (const stop of stops) stop.abort();
      const stopped = time.now;
      await time.passUntil(() => isOver() || time.now - stopped > END_MS + 5000);
      if (running > 0 && !isCrashing && !this.#isStuck) truth.violate("stream() hangs after its stop");
    }
    if (truth.violations.length > 0) return false;
    if (isCrashing || this.#isStuck) {
      this.endings.push("crashed");
      await this.#crash();
      return false;
    }
    // What is handled counts when it is committed: that takes its time, or a close.
    const isAllDone = !hasFailed && this.#isAllCommitted && truth.isAllDone;
    if (isLast && !hasFailed && !isAllDone) truth.violate("not everything is handled and committed in the end");
    if (goesOn && !isLast && truth.removed.size === 0) return false;
    await this.#close(rooms);
    return isAllDone;
  }

  /** Ends what is used beside, and everything else. */
  async #close(rooms: Rooms): Promise<void> {
    const { time, truth } = this;
    this.#closeWritable(rooms);
    let began = time.now;
    await time.passUntil(() => rooms.beside.size === 0 || this.#isStuck || time.now - began > CLOSE_MS);
    if (rooms.beside.size > 0 && !this.#isStuck) truth.violate(`${[...rooms.beside].join("; ")} hangs`);
    let isClosed = false;
    const topics = [...rooms.inputs.flat(), ...rooms.outs, rooms.letters];
    Promise.all([...topics, ...rooms.caches].map((room) => room.close())).then(() => isClosed = true, (error) => {
      isClosed = true;
      truth.violate(`a close fails: ${error}`);
    });
    began = time.now;
    await time.passUntil(() => isClosed || this.#isStuck || time.now - began > CLOSE_MS);
    if (!isClosed && !this.#isStuck) truth.violate("a close hangs");
    await this.#crash();
  }

  get #isAllCommitted(): boolean {
    const { kafka, program, truth } = this;
    return program.sources.every((partitions, source) =>
      truth.handlersOf(source).length === 0 ||
      partitions.every((count, partition) =>
        count === 0 || kafka.committed(GROUP, { topic: `in${source}`, partition }) === count
      )
    );
  }

  async play(): Promise<void> {
    const { program, truth } = this;
    for (const life of program.lives) {
      await this.live(life);
      if (truth.violations.length > 0) return;
    }
    for (let count = 0; !await this.live({ events: [], ms: LAST_MS, goesOn: false }, true); count++) {
      if (truth.violations.length > 0) return;
      if (count > MOST_LIVES) return truth.violate("it never comes to its end");
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

function fateOf(kind: "refused" | "refusedLater" | "unacknowledged" | "slow"): RecordFate {
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

/** Plays a program, and says what was not as it must be. */
export async function simulateRooms(program: RoomsProgram): Promise<RoomsOutcome> {
  const world = new RoomsWorld(program), { truth, time, endings } = world;
  const { warn } = console;
  time.install(20);
  time.owner = PROCESS;
  unhandled = (reason) => truth.violate(`nobody handles a rejection: ${Deno.inspect(reason)}`);
  // What rooms say of broken brokers.
  console.warn = () => {};
  try {
    await world.play();
  } finally {
    unhandled = undefined;
    console.warn = warn;
    time.uninstall();
    world.kafka.close();
  }
  return { violations: truth.violations, begun: truth.begun, endings };
}
