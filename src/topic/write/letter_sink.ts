/**
 * Dead letters to a Topic.
 *
 * @module
 */

import { ErrorCode } from "../../kafka/port.ts";
import type { Delivery, RawMessage, SinkWriter } from "../../stream/protocol.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import type { Notices } from "../../notices/notices.ts";

/**
 * The properties of a producer of dead letters: whatever was read can be written. The client's own limit is as high as
 * it can be, and a message that was compressed where it was read may be too large uncompressed.
 */
export function lettersConf(conf: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const compressed = conf["compression.codec"] !== undefined || conf["compression.type"] !== undefined;
  return { ...conf, ...(compressed ? {} : { "compression.codec": "lz4" }), "message.max.bytes": 1_000_000_000 };
}

/** As much of a header as is said on stderr. */
const SHOWN_CHARACTERS = 200;

/** How letters that the broker takes for too large are made smaller, one after the other: which headers go. */
const CUTS: readonly ((header: string) => boolean)[] = [
  (header) => header === "slipstream.error",
  (header) => header.startsWith("slipstream."),
];

interface Attempt {
  readonly letter: RawMessage;
  /** What the letter is about. */
  readonly message: unknown;
  readonly cuts: number;
}

/**
 * Writes dead letters. One that the topic's `max.message.bytes` has no room for is written without the error's text, and
 * if need be without any header of its own, which then stands on stderr alone: the message itself fits where it came from.
 */
export class LetterSink implements SinkWriter<RawMessage> {
  readonly #sink: SinkWriter<RawMessage>;
  readonly #where: string;
  readonly #notices: Notices;
  readonly #deliveries = new WeakMap<Delivery, Delivery>();

  /**
   * @param sink writes to the topic
   * @param where the topic, as errors have it
   */
  constructor(sink: SinkWriter<RawMessage>, where: string, notices: Notices) {
    this.#sink = sink;
    this.#where = where;
    this.#notices = notices;
  }

  accept(letter: RawMessage, delivery: Delivery, message?: unknown): void | Promise<void> {
    let own = this.#deliveries.get(delivery);
    if (own === undefined) this.#deliveries.set(delivery, own = this.#retrying(delivery));
    return this.#sink.accept(letter, own, { letter, message, cuts: 0 } satisfies Attempt);
  }

  #retrying(delivery: Delivery): Delivery {
    const own: Delivery = {
      undelivered: async (error, attempt) => {
        const { letter, message, cuts } = attempt as Attempt;
        const goes = CUTS[cuts];
        if (!(error instanceof KafkaError) || error.code !== ErrorCode.MSG_SIZE_TOO_LARGE || goes === undefined) {
          return await delivery.undelivered(error, message);
        }
        this.#say(letter, goes);
        const smaller = { ...letter, headers: letter.headers.filter(([name]) => !goes(name)) };
        await this.#sink.accept(smaller, own, { letter: smaller, message, cuts: cuts + 1 } satisfies Attempt);
      },
    };
    return own;
  }

  #say({ headers }: RawMessage, goes: (header: string) => boolean): void {
    const decoder = new TextDecoder();
    const said = headers.filter(([name]) => goes(name)).map(([name, value]) =>
      `${name}: ${value === null ? "null" : decoder.decode(value).slice(0, SHOWN_CHARACTERS)}`
    );
    if (said.length === 0) return;
    const text = `${this.#where}: a dead letter is larger than max.message.bytes of the topic allows; written without ${
      said.join(", ")
    }`;
    const handler = headers.find(([name]) => name === "slipstream.handler")?.[1];
    this.#notices.event("dead-letter-cut", text, handler ? { handler: decoder.decode(handler) } : {});
  }

  settle(delivery: Delivery): void | Promise<void> {
    const own = this.#deliveries.get(delivery);
    return own && this.#sink.settle(own);
  }

  close(reason?: unknown): void | Promise<void> {
    return this.#sink.close(reason);
  }
}
