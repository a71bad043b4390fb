/**
 * The model of a program over Topics and Caches: what handlers got, what sinks accepted, and what the logs and the disks hold.
 * It reports each violation of the delivery guarantee.
 *
 * @module
 */

import type { MemoryKafka, SentRecord } from "../../src/testing/memory_kafka.ts";
import type { Mutation } from "../support/memory_kv.ts";
import type { CommitFault, TopicCacheFault, TopicCacheProgram } from "./topic_cache_program.ts";

/** The outcome of a record at one handler. */
interface Outcome {
  begun: number;
  /** Whether the handler has returned for it at least once. */
  isOk: boolean;
  hasFailed: boolean;
  isDisposed: boolean;
}

/** The consumer group of all apps. */
export const GROUP = "simulation";
/** The topic of dead letters. */
export const LETTERS = "letters";

const decoder = new TextDecoder();

/** The fault of the record or the commit with a number. */
export function faultAt<K extends string>(faults: readonly TopicCacheFault<K>[], count: number): K | undefined {
  return faults.find(({ at, times }) => count >= at && count < at + times)?.kind;
}

/** The disk of a Cache, and the writes that the Cache has accepted. */
export class Disk {
  readonly #model: TopicCacheModel;
  readonly #name: string;
  /** The number of the last write of each key that is on the disk. */
  readonly entries = new Map<string, number>();
  /** The writes that are accepted and not on the disk yet, in order. */
  #waiting: { readonly key: string; readonly seq: number }[] = [];

  constructor(model: TopicCacheModel, name: string) {
    this.#model = model;
    this.#name = name;
  }

  accepted(key: string, seq: number): void {
    this.#waiting.push({ key, seq });
  }

  /** The process has ended: what was accepted and is not on the disk may be lost. */
  restart(): void {
    this.#waiting = [];
  }

  /** A commit has failed: with it, all of its writes, and the earlier writes that they replaced. */
  failed(mutations: readonly Mutation[]): void {
    const lasts = writesOf(mutations);
    for (const { key, seq } of this.#waiting) if (seq <= (lasts.get(key) ?? 0)) this.#model.failed.add(seq);
  }

  /** A commit is on the disk: the disk must hold a prefix of the accepted writes. */
  made(mutations: readonly Mutation[]): void {
    let last = 0;
    for (const [key, seq] of writesOf(mutations)) {
      if (seq < (this.entries.get(key) ?? 0)) this.#model.violate(`${this.#name}: an older value of ${key}`);
      this.entries.set(key, seq);
      last = Math.max(last, seq);
    }
    let count = 0;
    for (const { key, seq } of this.#waiting) {
      if (seq > last) break;
      count++;
      if (this.has(key, seq) || this.#model.failed.has(seq)) continue;
      this.#model.violate(`${this.#name}: write ${last} is on disk, and ${seq} (${key}), accepted before it, is not`);
    }
    this.#waiting.splice(0, count);
  }

  /** Whether a write, or a later one of its key, is on the disk. */
  has(key: string, seq: number): boolean {
    return (this.entries.get(key) ?? 0) >= seq;
  }
}

function writesOf(mutations: readonly Mutation[]): Map<string, number> {
  return new Map(mutations.flatMap(({ key, value }) => {
    return key[1] === "v" && typeof value === "number" ? [[key.slice(2).join("/"), value] as const] : [];
  }));
}

/** The model of one program. */
export class TopicCacheModel {
  readonly program: TopicCacheProgram;
  readonly kafka: MemoryKafka;
  readonly violations: string[] = [];
  readonly disks: readonly Disk[];
  /** The numbers of records and writes that were made to fail. */
  readonly failed = new Set<number>();
  /** The numbers of the records that a log holds. */
  readonly written = new Set<number>();
  /** The handlers that were removed. */
  readonly removed = new Set<number>();
  readonly #outputs = new Map<string, Set<string>>();
  readonly #letters = new Set<string>();
  readonly #scanned = new Map<string, number>();
  readonly #lastSeq = new Map<string, number>();
  readonly #outcomes = new Map<string, Outcome>();
  readonly #verified = new Map<string, number>();
  #begun = 0;
  #commits = 0;
  #seq = 0;
  life = 0;
  /** Whether a fatal error has happened, which may fail anything. */
  isDisturbed = false;

  constructor(program: TopicCacheProgram, kafka: MemoryKafka) {
    this.program = program;
    this.kafka = kafka;
    this.disks = Array.from({ length: program.caches }, (_, n) => new Disk(this, `cache${n}`));
  }

  violate(text: string): void {
    if (this.violations.length < 20) this.violations.push(`life ${this.life}: ${text}`);
  }

  /** How many times a handler was called. */
  get begun(): number {
    return this.#begun;
  }

  nextSeq(): number {
    return ++this.#seq;
  }

  outcome(record: string, handler: number): Outcome {
    const id = `${record}>${handler}`;
    let outcome = this.#outcomes.get(id);
    if (outcome === undefined) {
      this.#outcomes.set(id, outcome = { begun: 0, isOk: false, hasFailed: false, isDisposed: false });
    }
    return outcome;
  }

  begin(record: string, handler: number): Outcome {
    const outcome = this.outcome(record, handler);
    outcome.begun = ++this.#begun;
    return outcome;
  }

  /** The value that identifies a record. */
  record(topic: string, partition: number, offset: number): string {
    return `${topic}[${partition}]@${offset}`;
  }

  // Sinks

  /** The sinks of a handler: numbers below the number of Caches are Caches, the others Topics. */
  sinksOf(handler: number): number[] {
    const { handlers, caches, topics } = this.program;
    return [...new Set(handlers[handler]!.sinks.map((sink) => sink % (caches + topics)))];
  }

  /** Reads the new records of the logs. */
  #scan(): void {
    const { topics, outPartitions } = this.program;
    for (let out = -1; out < topics; out++) {
      const topic = out < 0 ? LETTERS : `out${out}`;
      let outputs = this.#outputs.get(topic);
      if (outputs === undefined) this.#outputs.set(topic, outputs = new Set());
      for (let partition = 0; partition < outPartitions; partition++) {
        const topicPartition = `${topic}/${partition}`;
        const records = this.kafka.records({ topic, partition });
        for (let n = this.#scanned.get(topicPartition) ?? 0; n < records.length; n++) {
          const { value, headers } = records[n]!;
          const text = decoder.decode(value!);
          if (out < 0) {
            const handler = headers.find(([name]) => name === "slipstream.handler")?.[1] ?? undefined;
            this.#letters.add(`${text}>${decoder.decode(handler)}`);
            continue;
          }
          const [id, seq, life] = text.split("#");
          if (this.written.has(Number(seq))) this.violate(`${topic}: ${text} was written twice`);
          this.written.add(Number(seq));
          outputs.add(id!);
          // A WritableStream passes its values on later.
          if (id!.startsWith("written")) continue;
          // Within a life, records are written in the order of the calls.
          const last = this.#lastSeq.get(`${topicPartition}/${life}`) ?? 0;
          if (last > Number(seq) && !this.isDisturbed) this.violate(`${topic}: ${text} comes behind ${last}`);
          this.#lastSeq.set(`${topicPartition}/${life}`, Math.max(last, Number(seq)));
        }
        this.#scanned.set(topicPartition, records.length);
      }
    }
  }

  /** Whether a log holds the record with a number. */
  isWritten(seq: number): boolean {
    if (!this.written.has(seq)) this.#scan();
    return this.written.has(seq);
  }

  /** Whether all values of a record at a handler are delivered, or disposed of. */
  isDone(record: string, handler: number): boolean {
    const { handlers, caches } = this.program;
    const { onError, emits } = handlers[handler]!;
    const { isOk, hasFailed, isDisposed, begun } = this.outcome(record, handler);
    if (this.removed.has(handler)) return true;
    if (onError === "skip" && hasFailed) return true;
    if (onError === "function" && isDisposed) return true;
    // A dead letter that would be too large with its headers has none.
    const isLetter = this.#letters.has(`${record}>h${handler}`) || this.#letters.has(`${record}>`);
    if (onError === "letters" && hasFailed && isLetter) return true;
    if (begun === 0 || !isOk) return false;
    for (const sink of this.sinksOf(handler)) {
      for (let n = 0; n < emits; n++) {
        const id = `${record}>${handler}.${n}`;
        const isThere = sink < caches
          ? this.disks[sink]!.entries.has(`v/${id}`)
          : this.#outputs.get(`out${sink - caches}`)!.has(id);
        if (!isThere) return false;
      }
    }
    return true;
  }

  // Offsets

  handlersOf(source: number): number[] {
    const { handlers, sources } = this.program;
    return [...handlers.keys()].filter((handler) => handlers[handler]!.source % sources.length === source);
  }

  /** An offset is committed: every record below it must be done. */
  committing(topic: string, partition: number, offset: number): void {
    this.#scan();
    const topicPartition = `${topic}/${partition}`, source = Number(topic.slice(2));
    const handlers = this.handlersOf(source);
    let verified = this.#verified.get(topicPartition) ?? 0;
    for (; verified < offset; verified++) {
      const record = this.record(topic, partition, verified);
      for (const handler of handlers) {
        if (this.isDone(record, handler)) continue;
        this.violate(
          `${topicPartition} is committed up to ${offset}, and handler ${handler} is not done with ${verified}`,
        );
      }
    }
    this.#verified.set(topicPartition, verified);
  }

  /** Whether every record is done. */
  get isAllDone(): boolean {
    this.#scan();
    return this.program.sources.every((partitions, source) =>
      partitions.every((count, partition) => {
        const topic = `in${source}`;
        const handlers = this.handlersOf(source);
        for (let at = this.#verified.get(`${topic}/${partition}`) ?? 0; at < count; at++) {
          if (!handlers.every((handler) => this.isDone(this.record(topic, partition, at), handler))) return false;
        }
        return true;
      })
    );
  }

  // Faults

  /** A broker has received a record. */
  produced({ value, topic }: SentRecord, fault: string | undefined): void {
    if (fault === undefined || fault === "slow") return;
    const text = decoder.decode(value!);
    if (topic !== LETTERS) this.failed.add(Number(text.split("#")[1]));
  }

  /** The fault of the next commit of a Cache. */
  nextCommit(): CommitFault | undefined {
    return faultAt(this.program.commits, this.#commits++);
  }
}
