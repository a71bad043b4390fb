/**
 * The admin client under the npm client: the addon's `AdminClient`, as far as topics are made and deleted.
 *
 * @module
 */

import { type Callback, Client } from "./client.ts";
import { openLibrary } from "./library.ts";
import { cString, OutPointer, type Pointer, readCString, textOf, viewOf } from "./memory.ts";
import { CODES, type NativeError, nativeError } from "./native_error.ts";

/** A topic to make. */
export interface NewTopic {
  readonly topic: string;
  readonly num_partitions: number;
  readonly replication_factor: number;
  readonly config?: Readonly<Record<string, string>>;
}

interface Waiting {
  readonly result: (event: Pointer) => NativeError | { readonly result: undefined };
  readonly resolve: (answer: NativeError | { readonly result: undefined }) => void;
}

const TEXT_BYTES = 512;

/** Makes and deletes topics. Each request waits on a queue of its own. */
export class AdminClient extends Client {
  readonly #waiting = new Map<Pointer, Waiting>();
  #listen: ((queue: Pointer) => void) | undefined;
  #main: Pointer = null;

  constructor(globalConf: unknown) {
    super("producer", globalConf, null);
  }

  /** Connects at once, unlike the other clients. Answers librdkafka's code. */
  override connect(): number {
    return this.connected ? CODES.NO_ERROR : this.connectNow()?.code ?? CODES.NO_ERROR;
  }

  /** Disconnects in the background. Answers at once. */
  override disconnect(): number {
    void this.freed();
    return CODES.NO_ERROR;
  }

  protected override events(): number {
    return 0;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
    this.#listen = listen;
    this.#main = openLibrary().symbols.rd_kafka_queue_get_main(rk);
    listen(this.#main);
  }

  protected override closeQueues(): Promise<void> {
    openLibrary().symbols.rd_kafka_queue_destroy(this.#main);
    this.#main = null;
    return Promise.resolve();
  }

  protected override serve(): void {
    const { symbols } = openLibrary();
    for (let event; this.#main !== null && (event = symbols.rd_kafka_queue_poll(this.#main, 0)) !== null;) {
      this.emitEvent(symbols.rd_kafka_event_type(event), event);
      symbols.rd_kafka_event_destroy(event);
    }
    for (const [queue, { result, resolve }] of this.#waiting) {
      const event = symbols.rd_kafka_queue_poll(queue, 0);
      if (event === null) continue;
      const code = symbols.rd_kafka_event_error(event);
      resolve(code === CODES.NO_ERROR ? result(event) : nativeError(code));
      symbols.rd_kafka_event_destroy(event);
      symbols.rd_kafka_queue_destroy(queue);
      this.#waiting.delete(queue);
    }
  }

  createTopic(topic: NewTopic, _timeoutMs: number, callback: Callback<undefined>): null {
    const { symbols } = openLibrary();
    return this.#request(callback, "CreateTopics", (rk, queue) => {
      const text = new Uint8Array(TEXT_BYTES);
      const { num_partitions, replication_factor, config = {} } = topic;
      const native = symbols.rd_kafka_NewTopic_new(
        cString(topic.topic),
        num_partitions,
        replication_factor,
        text,
        BigInt(text.length),
      );
      if (native === null) return nativeError(CODES.INVALID_ARG, textOf(text));
      for (const [name, value] of Object.entries(config)) {
        symbols.rd_kafka_NewTopic_set_config(native, cString(name), cString(value));
      }
      const list = new BigUint64Array([BigInt(Deno.UnsafePointer.value(native))]);
      symbols.rd_kafka_CreateTopics(rk, list, 1n, null, queue);
      symbols.rd_kafka_NewTopic_destroy(native);
      return undefined;
    });
  }

  deleteTopic(topic: string, _timeoutMs: number, callback: Callback<undefined>): null {
    const { symbols } = openLibrary();
    return this.#request(callback, "DeleteTopics", (rk, queue) => {
      const native = symbols.rd_kafka_DeleteTopic_new(cString(topic));
      const list = new BigUint64Array([BigInt(Deno.UnsafePointer.value(native))]);
      symbols.rd_kafka_DeleteTopics(rk, list, 1n, null, queue);
      symbols.rd_kafka_DeleteTopic_destroy(native);
      return undefined;
    });
  }

  #request(
    callback: Callback<undefined>,
    kind: "CreateTopics" | "DeleteTopics",
    send: (rk: Pointer, queue: Pointer) => NativeError | undefined,
  ): null {
    return this.call(callback, (rk) => {
      const { symbols } = openLibrary();
      const queue = symbols.rd_kafka_queue_new(rk);
      this.#listen!(queue);
      const error = send(rk, queue);
      if (error !== undefined) {
        symbols.rd_kafka_queue_destroy(queue);
        return Promise.resolve(error);
      }
      return new Promise((resolve) => {
        const result = (event: Pointer) => {
          const topics = new OutPointer();
          const results = symbols[`rd_kafka_event_${kind}_result`](event);
          const first = symbols[`rd_kafka_${kind}_result_topics`](results, topics.buffer);
          const outcome = viewOf(first!).getPointer();
          const code = symbols.rd_kafka_topic_result_error(outcome);
          if (code === CODES.NO_ERROR) return { result: undefined };
          return nativeError(code, readCString(symbols.rd_kafka_topic_result_error_string(outcome)) || undefined);
        };
        this.#waiting.set(queue, { result, resolve });
      });
    });
  }
}
