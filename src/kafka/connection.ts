/**
 * The connection of a client, however long it takes to be made.
 *
 * @module
 */

import { type ClientEvents, ErrorCode, type PortClient } from "./port.ts";
import { KafkaError } from "./kafka_error.ts";
import type { Notices } from "../notices/notices.ts";

/** After so long without an answer, in milliseconds, one line on stderr says so. */
const PATIENCE_MS = 3000;
/** librdkafka's severity of errors, from syslog: lower is worse. */
const SEVERITY_ERROR = 3;

/**
 * librdkafka's log of a broker that it knows from another one, by its number: the address and why there is no connection.
 * One that it knows from bootstrap.servers has the word for a number.
 */
const ADVERTISED = /^\[thrd:[^\]]*\]: (\S+:\d+)\/\d+: ((?:Connect to|Failed to resolve|Connection setup timed out).*)/;

/**
 * Makes one client and connects it, and hears its errors and its log meanwhile: they say why no broker answers.
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
  /** Why no broker has answered yet; the first reason counts. */
  #reason = "";
  /** The last failure that was logged: librdkafka logs why, and then makes the event. */
  #failure = "";
  #refused: KafkaError | undefined;
  #client: PortClient | undefined;
  #unreachable: string | undefined;

  /**
   * @param where the topic, as errors have it
   * @param servers what `bootstrap.servers` is
   */
  constructor(where: string, servers: unknown, notices: Notices) {
    this.#where = where;
    this.#servers = servers;
    this.#notices = notices;
  }

  /** Why no broker has answered yet; empty while nothing is known. */
  get reason(): string {
    return this.#reason;
  }

  /** Which broker of the cluster could not be reached last, and why; `undefined` when there was none. */
  get unreachable(): string | undefined {
    return this.#unreachable;
  }

  onLog(severity: number, message: string): void {
    if (severity > SEVERITY_ERROR) return;
    this.#reason = this.#failure = message;
    const [, address, why] = ADVERTISED.exec(message) ?? [];
    if (address === undefined || String(this.#servers).split(/[\s,]+/).includes(address)) return;
    this.#unreachable = `the cluster advertises a broker at ${address}, which can't be reached from here: ${why}`;
    this.#notices.once(
      `advertised ${address}`,
      `${this.#where}: ${this.#unreachable} (if that broker is up, see its advertised.listeners)`,
    );
  }

  onError(code: number, message: string): void {
    const client = this.#client;
    const refusal = client === undefined ? undefined : refusalOf(code, this.#failure);
    if (refusal !== undefined) {
      this.#client = undefined;
      this.#refused = new KafkaError(
        `${this.#where}: can't connect to ${this.#servers}: ${withoutThread(this.#failure)}`,
        { code: refusal, fatal: true, cause: Object.assign(new Error(message), { code }) },
      );
      void client!.disconnect();
    }
    if (this.#reason === "") this.#reason = message;
  }

  /**
   * A client, as it is made.
   *
   * @throws {LibraryError} If there is no librdkafka that can be used.
   * @throws {KafkaError} If the configuration is refused; it is fatal.
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
   * Connects, and keeps trying until a broker answers or the client is disconnected. A broker that refuses the
   * credentials, or whose certificate or ours is refused, will do so the next time too: then it disconnects.
   *
   * @throws {KafkaError} If the client can't be made, a broker can't be trusted or does not trust us: a fatal one. If the
   * client was disconnected meanwhile: one that is not.
   */
  async open(client: PortClient): Promise<void> {
    this.#client = client;
    const patience = setTimeout(() => {
      const why = this.#reason === "" ? "" : ` (${this.#reason})`;
      this.#notices.once(
        "broker",
        `${this.#where}: no broker answers at ${this.#servers} yet${why}; still trying`,
      );
    }, PATIENCE_MS);
    try {
      await client.connect();
      this.#notices.over("broker", `${this.#where}: a broker at ${this.#servers} answers`);
    } catch (error) {
      if (this.#refused !== undefined) throw this.#refused;
      if (client.isDisconnecting) {
        throw new KafkaError(`${this.#where}: closed before a broker at ${this.#servers} had answered`, {
          cause: error,
        });
      }
      throw this.#cantConnect(error);
    } finally {
      this.#client = undefined;
      clearTimeout(patience);
    }
  }

  #cantConnect(error: unknown): KafkaError {
    const text = String((error as { message?: unknown } | null)?.message ?? error);
    // The names of properties were checked before, against the newest version.
    const why = text.includes("No such configuration property")
      ? ": this librdkafka is too old for a property, and deno run -A jsr:@slipstream/slipstream/setup --build builds one"
      : "";
    return KafkaError.from(`${this.#where}: can't connect to ${this.#servers}${why}`, error, { fatal: true });
  }
}

/** The code of an error that trying again won't mend. */
function refusalOf(code: number, logged: string): number | undefined {
  // Without a log it is a token that was not to be had; librdkafka asks for one again.
  if (code === ErrorCode.AUTHENTICATION && /SASL/.test(logged)) return code;
  if (!/certificate|unknown ca/i.test(logged)) return undefined;
  // A broker refuses our certificate after the handshake: an alert instead of its first answer.
  return code === ErrorCode.SSL || (code === ErrorCode.TRANSPORT && /SSL.*alert/i.test(logged))
    ? ErrorCode.SSL
    : undefined;
}

/** librdkafka's log names the thread before all else. */
function withoutThread(message: string): string {
  return message.replace(/^\[thrd:[^\]]*\]: /, "");
}
