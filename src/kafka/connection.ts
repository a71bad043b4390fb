/**
 * Connecting a client: it waits as long as it takes for a broker, and says meanwhile why none answers.
 *
 * @module
 */

import { type ClientEvents, ErrorCode, type PortClient } from "./port.ts";
import { KafkaError } from "./kafka_error.ts";
import type { Notices } from "../notices/notices.ts";

/** How long no broker answers before a notice says so, in milliseconds. */
const NO_ANSWER_NOTICE_MS = 3000;
/** The severity of errors in librdkafka's log, which is syslog's: lower is worse. */
const SEVERITY_ERROR = 3;

/**
 * librdkafka's log line about a broker that it can't connect to: the address and the reason. It matches brokers with an
 * id, whose address another broker advertised; those of `bootstrap.servers` have the word "bootstrap" in place of the id.
 */
const ADVERTISED_BROKER =
  /^\[thrd:[^\]]*\]: (\S+:\d+)\/\d+: ((?:Connect to|Failed to resolve|Connection setup timed out).*)/;

/**
 * Connects one client. Pass it as the client's events: the errors and the log say why no broker answers.
 *
 * @example
 * ```ts ignore
 * const connection = new Connection(where, servers, notices);
 * const producer = await connection.make(clients.producer(conf, connection));
 * await connection.open(producer);
 * ```
 */
export class Connection implements ClientEvents {
  readonly #where: string;
  readonly #servers: unknown;
  readonly #notices: Notices;
  /** Why no broker answers: the last error in the log or, before one is logged, the first error event. */
  #reason = "";
  /** The last error that was logged: librdkafka logs the reason before it raises the error event. */
  #loggedError = "";
  /** Why a broker and the client will never trust each other. */
  #refusal: KafkaError | undefined;
  /** The client, while it connects. */
  #client: PortClient | undefined;
  #unreachable: string | undefined;

  /**
   * @param where the beginning of error messages: the topic
   * @param servers the value of `bootstrap.servers`, for error messages
   */
  constructor(where: string, servers: unknown, notices: Notices) {
    this.#where = where;
    this.#servers = servers;
    this.#notices = notices;
  }

  /** Why no broker answers; empty while unknown. */
  get reason(): string {
    return this.#reason;
  }

  /** The last broker of the cluster that could not be reached, and why; `undefined` if all could. */
  get unreachable(): string | undefined {
    return this.#unreachable;
  }

  onLog(severity: number, message: string): void {
    if (severity > SEVERITY_ERROR) return;
    this.#reason = this.#loggedError = message;
    const [, address, why] = ADVERTISED_BROKER.exec(message) ?? [];
    if (address === undefined || String(this.#servers).split(/[\s,]+/).includes(address)) return;
    this.#unreachable = `the cluster advertises a broker at ${address}, which can't be reached from here: ${why}`;
    this.#notices.raise(
      "advertised-broker-unreachable",
      `${this.#where}: ${this.#unreachable} (if that broker is up, see its advertised.listeners)`,
      { broker: address },
    );
  }

  onError(code: number, message: string): void {
    const client = this.#client;
    const refusal = client === undefined ? undefined : refusalCode(code, this.#loggedError);
    if (refusal !== undefined) {
      this.#client = undefined;
      this.#refusal = new KafkaError(
        `${this.#where}: can't connect to ${this.#servers}: ${withoutThread(this.#loggedError)}`,
        { code: refusal, fatal: true, cause: Object.assign(new Error(message), { code }) },
      );
      void client!.disconnect();
    }
    if (this.#reason === "") this.#reason = message;
  }

  /**
   * Waits for a client to be made.
   *
   * @throws {LibraryError} If no usable librdkafka is found.
   * @throws {KafkaError} If the configuration is refused. It is fatal.
   */
  async make<C extends PortClient>(client: Promise<C>): Promise<C> {
    try {
      return await client;
    } catch (error) {
      if ((error as { fatal?: unknown } | null)?.fatal === true) throw error;
      throw this.#cantConnect(error);
    }
  }

  /**
   * Connects, and retries until a broker answers or the client is disconnected. Refused credentials and refused
   * certificates are not retried: the client is disconnected.
   *
   * @throws {KafkaError} If the client can't be made, or if credentials or a certificate are refused: a fatal error. If the
   * client is disconnected before a broker has answered: an error that is not fatal.
   */
  async open(client: PortClient): Promise<void> {
    this.#client = client;
    const noticeTimer = setTimeout(() => {
      const why = this.#reason === "" ? "" : ` (${this.#reason})`;
      this.#notices.raise(
        "broker-unreachable",
        `${this.#where}: no broker answers at ${this.#servers} yet${why}; still trying`,
      );
    }, NO_ANSWER_NOTICE_MS);
    try {
      await client.connect();
      this.#notices.clear("broker-unreachable", `${this.#where}: a broker at ${this.#servers} answers`);
    } catch (error) {
      if (this.#refusal !== undefined) throw this.#refusal;
      if (client.isDisconnecting) {
        throw new KafkaError(`${this.#where}: closed before a broker at ${this.#servers} had answered`, {
          cause: error,
        });
      }
      throw this.#cantConnect(error);
    } finally {
      this.#client = undefined;
      clearTimeout(noticeTimer);
    }
  }

  #cantConnect(error: unknown): KafkaError {
    const text = String((error as { message?: unknown } | null)?.message ?? error);
    // Topic has checked the names of properties against the newest version: this library is older.
    const why = text.includes("No such configuration property")
      ? ": this librdkafka is too old for a property, and deno run -A jsr:@slipstream/slipstream/setup --build builds one"
      : "";
    return KafkaError.from(`${this.#where}: can't connect to ${this.#servers}${why}`, error, { fatal: true });
  }
}

/** The code of an error that a retry can't mend; `undefined` for others. */
function refusalCode(code: number, logged: string): number | undefined {
  // An authentication error that is not logged is an OAuth token that could not be fetched: librdkafka asks for another.
  if (code === ErrorCode.AUTHENTICATION && /SASL/.test(logged)) return code;
  if (!/certificate|unknown ca/i.test(logged)) return undefined;
  // A broker that refuses our certificate does so after the handshake, by an alert in place of its first answer.
  return code === ErrorCode.SSL || (code === ErrorCode.TRANSPORT && /SSL.*alert/i.test(logged))
    ? ErrorCode.SSL
    : undefined;
}

/** Removes the thread's name, with which every line of librdkafka's log begins. */
function withoutThread(message: string): string {
  return message.replace(/^\[thrd:[^\]]*\]: /, "");
}
