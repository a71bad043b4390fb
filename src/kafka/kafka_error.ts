/**
 * What goes wrong with Kafka.
 *
 * @module
 */

/** More about a `KafkaError`. */
export interface KafkaErrorOptions extends ErrorOptions {
  /** librdkafka's code. */
  readonly code?: number;
  /** What was to be written and was not. */
  readonly records?: readonly unknown[];
  /**
   * The client can't go on, whatever the code says. When left out, the code decides: −150 is librdkafka's fatal error.
   */
  readonly fatal?: true;
}

/**
 * Codes after which the same may succeed later. Of the broker's: those that Kafka's protocol calls retriable
 * (`org.apache.kafka.common.protocol.Errors` of 4.3.1 prints them); 8, which librdkafka takes for a stale address; and 27,
 * since a commit that meets a rebalance may be made again after it. Of librdkafka's own: time-outs, connections, what it
 * waits for or has no room for, and what a member of a group loses and can join again. What is purged (−152, −151) is
 * not among them: its client has ended.
 */
const RETRIABLE: ReadonlySet<number> = new Set([
  ...[2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 27, 41, 51, 56, 70, 71, 72, 74, 75, 78, 80, 83, 84, 88, 89],
  ...[100, 103, 106, 122, 123, 133],
  ...[-195, -193, -192, -187, -185, -184, -180, -178, -177, -166, -164, -163, -153, -147, -142, -137],
]);
const FATAL = -150;

const REMEDIES: Readonly<Record<number, string>> = {
  29: "the user lacks the right to this topic: ask for an ACL",
  30: "the user lacks the right to this group: ask for an ACL on group.id",
  [-192]: "no broker confirmed it within message.timeout.ms: see whether the brokers are up",
  [-169]: "see sasl.username, sasl.password and sasl.mechanism",
  [-181]: "see ssl.ca.location, ssl.certificate.location, ssl.key.location and ssl.endpoint.identification.algorithm",
  [-140]: "the offset is not there any more: set auto.offset.reset to earliest or latest, or seek",
};

/**
 * Thrown when Kafka, or librdkafka, refuses something.
 *
 * @example What a failed send carries
 * ```ts
 * import { KafkaError } from "@slipstream/slipstream";
 *
 * const error = new KafkaError("too large", { code: 10, records: [["key", "value"]] });
 * console.assert(!error.retriable && error.records.length === 1);
 * ```
 */
export class KafkaError extends Error {
  /** The class's name. */
  override readonly name = "KafkaError";
  /** librdkafka's code: negative for its own, positive for the broker's; `undefined` when it is neither's. */
  readonly code: number | undefined;
  /** Whether the same may succeed later. */
  readonly retriable: boolean;
  /**
   * Whether the client can't go on and must be made anew, or can't be made at all. It concerns no single message: it ends
   * a run under every error policy.
   */
  readonly fatal: boolean;
  /** What was to be written and was not. */
  readonly records: readonly unknown[];

  /** Adds the remedy that is known for the code to the message. */
  constructor(message: string, { code, records = [], fatal, ...options }: KafkaErrorOptions = {}) {
    const remedy = code === undefined ? undefined : REMEDIES[code];
    // An error made of another one has it already.
    super(remedy === undefined || message.includes(remedy) ? message : `${message} (${remedy})`, options);
    this.code = code;
    this.fatal = fatal ?? code === FATAL;
    this.retriable = code !== undefined && RETRIABLE.has(code) && !this.fatal;
    this.records = records;
  }

  /** The code that an error of a client carries. */
  static codeOf(error: unknown): number | undefined {
    const code = (error as { code?: unknown } | null)?.code;
    return typeof code === "number" ? code : undefined;
  }

  /** An error of a client, said in the words of what was being done. */
  static from(
    doing: string,
    error: unknown,
    more: Pick<KafkaErrorOptions, "records" | "fatal"> = {},
  ): KafkaError {
    if (error instanceof KafkaError) return error;
    const code = KafkaError.codeOf(error);
    const text = String((error as { message?: unknown } | null)?.message ?? error);
    const isFatal = (error as { isFatal?: unknown } | null)?.isFatal === true;
    return new KafkaError(`${doing}: ${text}`, {
      ...more,
      ...(isFatal ? { fatal: true } : {}),
      cause: error,
      ...(code === undefined ? {} : { code }),
    });
  }
}
