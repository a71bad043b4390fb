/**
 * Writes dead letters to a Topic.
 *
 * @module
 */

import { KafkaError } from "../../kafka/kafka_error.ts";
import { ErrorCode } from "../../kafka/port.ts";
import type { Notices } from "../../notices/notices.ts";
import type { Delivery, RawMessage, SinkWriter } from "../../protocol/protocol.ts";

/**
 * Returns the properties of a producer that can write every message that could be read. So its own limit,
 * `message.max.bytes`, is as high as possible, and records are compressed: a message that was compressed in its topic may
 * be too large without.
 */
export function deadLetterConf(conf: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isCompressed = conf["compression.codec"] !== undefined || conf["compression.type"] !== undefined;
  return { ...conf, ...(isCompressed ? {} : { "compression.codec": "lz4" }), "message.max.bytes": 1_000_000_000 };
}

/** How many characters of a header a notice has. */
const SHOWN_CHARACTERS = 200;

/** Which headers are removed, one step after the other, from a dead letter that is too large. */
const CUTS: readonly ((header: string) => boolean)[] = [
  (header) => header === "slipstream.error",
  (header) => header.startsWith("slipstream."),
];

/** A dead letter that was written, as the underlying sink knows its message. */
interface Attempt {
  readonly letter: RawMessage;
  /** The message that the letter is about. */
  readonly message: unknown;
  /** How many of `CUTS` were made. */
  readonly cuts: number;
}

/**
 * Writes dead letters. A letter that is larger than `max.message.bytes` of the topic is written again without the error's
 * text, and if need be without any header that begins with `slipstream.`. The notice `dead-letter-cut` has these headers.
 * The message itself fits, as it did in the topic that it comes from, unless this topic allows less.
 */
export class DeadLetterWriter implements SinkWriter<RawMessage> {
  readonly #sink: SinkWriter<RawMessage>;
  readonly #where: string;
  readonly #notices: Notices;
  /** The delivery that the underlying sink gets, for each delivery. */
  readonly #deliveries = new WeakMap<Delivery, Delivery>();

  /**
   * @param sink writes to the topic
   * @param where the topic, for notices
   */
  constructor(sink: SinkWriter<RawMessage>, where: string, notices: Notices) {
    this.#sink = sink;
    this.#where = where;
    this.#notices = notices;
  }

  accept(letter: RawMessage, delivery: Delivery, message?: unknown): void | Promise<void> {
    let cutting = this.#deliveries.get(delivery);
    if (cutting === undefined) this.#deliveries.set(delivery, cutting = this.#cuttingDelivery(delivery));
    return this.#sink.accept(letter, cutting, { letter, message, cuts: 0 } satisfies Attempt);
  }

  /** Returns a delivery that writes too large letters again. */
  #cuttingDelivery(delivery: Delivery): Delivery {
    const cutting: Delivery = {
      undelivered: async (error, attempt) => {
        const { letter, message, cuts } = attempt as Attempt;
        const isCut = CUTS[cuts];
        if (!(error instanceof KafkaError) || error.code !== ErrorCode.MSG_SIZE_TOO_LARGE || isCut === undefined) {
          return await delivery.undelivered(error, message);
        }
        this.#notify(letter, isCut);
        const smaller = { ...letter, headers: letter.headers.filter(([name]) => !isCut(name)) };
        await this.#sink.accept(smaller, cutting, { letter: smaller, message, cuts: cuts + 1 } satisfies Attempt);
      },
    };
    return cutting;
  }

  #notify({ headers }: RawMessage, isCut: (header: string) => boolean): void {
    const decoder = new TextDecoder();
    const cut = headers.filter(([name]) => isCut(name)).map(([name, value]) =>
      `${name}: ${value === null ? "null" : decoder.decode(value).slice(0, SHOWN_CHARACTERS)}`
    );
    if (cut.length === 0) return;
    const handler = headers.find(([name]) => name === "slipstream.handler")?.[1];
    this.#notices.event(
      "dead-letter-cut",
      `${this.#where}: a dead letter is larger than max.message.bytes of the topic allows; written without ${
        cut.join(", ")
      }`,
      handler ? { handler: decoder.decode(handler) } : {},
    );
  }

  settle(delivery: Delivery): void | Promise<void> {
    const cutting = this.#deliveries.get(delivery);
    return cutting && this.#sink.settle(cutting);
  }

  close(reason?: unknown): void | Promise<void> {
    return this.#sink.close(reason);
  }
}
