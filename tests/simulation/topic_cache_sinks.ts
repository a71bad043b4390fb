/**
 * Wrappers around the real sinks: they check that what a sink reports as settled is delivered.
 *
 * @module
 */

import type { Cache } from "../../src/cache/cache.ts";
import { type BatchSink, type Delivery, openSink, type SinkWriter } from "../../src/protocol/protocol.ts";
import type { Topic } from "../../src/topic/topic.ts";
import type { TopicCacheModel } from "./topic_cache_model.ts";

/** A value that a handler emits. */
export interface Output {
  readonly id: string;
  readonly key: string;
}

/** A process, which may crash. */
export interface Process {
  isDead: boolean;
}

interface Accepted {
  readonly seq: number;
  readonly key: string;
  readonly message: unknown;
  state: "accepted" | "refused";
}

interface Watch {
  readonly accepted: Accepted[];
  /** The messages with an undelivered value that the policy has disposed of. */
  readonly disposed: Set<unknown>;
  hasFailed: boolean;
  readonly proxy: Delivery;
}

/** A sink whose deliveries are checked. */
export abstract class WatchedSink<T> implements BatchSink<Output> {
  protected readonly model: TopicCacheModel;
  protected readonly process: Process;
  readonly name: string;
  readonly #sink: BatchSink<T>;

  constructor(name: string, sink: BatchSink<T>, model: TopicCacheModel, process: Process) {
    this.name = name;
    this.#sink = sink;
    this.model = model;
    this.process = process;
  }

  /** Called before a value is accepted. */
  protected before(): void {}
  protected abstract inputOf(output: Output, seq: number): T;
  protected abstract isDelivered(accepted: Accepted): boolean;
  protected abstract keyOf(output: Output): string;

  [openSink](): SinkWriter<Output> {
    const writer = this.#sink[openSink]();
    const watches = new WeakMap<Delivery, Watch>();
    const watchOf = (delivery: Delivery) => {
      let watch = watches.get(delivery);
      if (watch === undefined) watches.set(delivery, watch = this.#watch(delivery));
      return watch;
    };
    return {
      accept: (output, delivery, message) => {
        this.before();
        const watch = watchOf(delivery), seq = this.model.nextSeq();
        const one: Accepted = { seq, key: this.keyOf(output), message, state: "accepted" };
        const input = this.inputOf(output, seq);
        watch.accepted.push(one);
        const refused = (error: unknown) => {
          one.state = "refused";
          if (!this.process.isDead) this.#fails(one);
          throw error;
        };
        try {
          return writer.accept(input, watch.proxy, message)?.catch(refused);
        } catch (error) {
          return refused(error);
        }
      },
      settle: (delivery) => {
        const watch = watchOf(delivery), accepted = [...watch.accepted];
        const settled = writer.settle(watch.proxy);
        if (settled === undefined) return this.#settled(watch, accepted);
        return settled.then(async () => {
          // The caller gets the refusal a little later.
          for (let tick = 0; tick < 4; tick++) await undefined;
          this.#settled(watch, accepted);
        }, (error) => {
          this.#rejected(watch, error);
          throw error;
        });
      },
      close: (reason) => writer.close(reason),
    };
  }

  #watch(delivery: Delivery): Watch {
    const watch: Watch = {
      accepted: [],
      disposed: new Set(),
      hasFailed: false,
      proxy: {
        undelivered: (error, message) => {
          const { model, process } = this;
          const isOwn = watch.accepted.some((one) => one.message === message && model.failed.has(one.seq));
          if (!isOwn && !process.isDead && !model.isDisturbed && !isClosed(error)) {
            model.violate(`${this.name}: a delivery gets a failure that is not its own: ${error}`);
          }
          for (const one of watch.accepted) if (one.message === message && model.failed.has(one.seq)) this.#fails(one);
          let later: void | Promise<void>;
          try {
            later = delivery.undelivered(error, message);
          } catch (error) {
            watch.hasFailed = true;
            throw error;
          }
          if (later === undefined) return void watch.disposed.add(message);
          return later.then(() => void watch.disposed.add(message), (error) => {
            watch.hasFailed = true;
            throw error;
          });
        },
      },
    };
    return watch;
  }

  /** A value can't be delivered: the policy of its handler decides. */
  #fails({ key }: Accepted): void {
    const [record, rest] = key.replace("v/", "").split(">");
    this.model.outcome(record!, parseInt(rest!)).hasFailed = true;
  }

  #settled(watch: Watch, accepted: readonly Accepted[]): void {
    const { process, model } = this;
    if (process.isDead) return;
    for (const one of accepted) {
      if (one.state === "refused" || watch.disposed.has(one.message) || this.isDelivered(one)) continue;
      model.violate(`${this.name}: a delivery has settled, and ${one.key} (${one.seq}) is not delivered`);
    }
  }

  #rejected(watch: Watch, error: unknown): void {
    const { process, model } = this;
    if (process.isDead || model.isDisturbed || isClosed(error)) return;
    if (watch.hasFailed || watch.accepted.some(({ seq, state }) => state === "refused" || model.failed.has(seq))) {
      return;
    }
    model.violate(`${this.name}: a delivery of which everything is delivered has failed: ${error}`);
  }
}

/** Whether a value failed because its writer was closed before it was delivered. */
function isClosed(error: unknown): boolean {
  return error instanceof Error && (/closed/.test(error.message) || isClosed(error.cause));
}

/** A Topic whose deliveries are checked. */
export class WatchedTopic extends WatchedSink<readonly [string, string]> {
  protected override inputOf({ id, key }: Output, seq: number): readonly [string, string] {
    return [key, `${id}#${seq}#${this.model.life}`];
  }

  protected override isDelivered({ seq }: Accepted): boolean {
    return this.model.isWritten(seq);
  }

  protected override keyOf({ id }: Output): string {
    return id;
  }

  /** Makes a sink of a Topic. */
  static of(name: string, topic: Topic, model: TopicCacheModel, process: Process): WatchedTopic {
    return new WatchedTopic(name, topic as never, model, process);
  }
}

/** A Cache whose deliveries are checked. Each value is the number of its write, so that older and newer values differ. */
export class WatchedCache extends WatchedSink<readonly [readonly string[], number]> {
  readonly #cache: Cache<number>;
  readonly #number: number;
  #count = 0;

  constructor(number: number, cache: Cache<number>, model: TopicCacheModel, process: Process) {
    super(`cache${number}`, cache as never, model, process);
    this.#cache = cache;
    this.#number = number;
  }

  protected override inputOf(output: Output, seq: number): readonly [readonly string[], number] {
    const key = this.keyOf(output);
    this.model.disks[this.#number]!.accepted(key, seq);
    return [key.split("/"), seq];
  }

  protected override isDelivered({ key, seq }: Accepted): boolean {
    return this.model.disks[this.#number]!.has(key, seq) && !this.model.failed.has(seq);
  }

  protected override keyOf({ id }: Output): string {
    return `v/${id}`;
  }

  /** Some writes also set a key that many writes share. */
  protected override before(): void {
    if (++this.#count % 3 === 0) this.set(`hot/${this.#count % 2}`);
  }

  /** Sets a value directly, beside the values of handlers. */
  set(key: string): void {
    const { model, process } = this, seq = model.nextSeq(), disk = model.disks[this.#number]!;
    disk.accepted(key, seq);
    this.#cache.set(key.split("/"), seq).then(() => {
      if (!process.isDead && !disk.has(key, seq)) {
        model.violate(`${this.name}: set() resolves before ${seq} is on disk`);
      }
    }, (error) => {
      if (!process.isDead && !model.failed.has(seq)) model.violate(`${this.name}: set() of ${seq} rejects: ${error}`);
    });
  }
}
