/**
 * A client of the npm package, connected; however long that takes.
 *
 * @module
 */

import type { KafkaJavascript } from "../librdkafka/kafka_javascript.ts";
import { KafkaError, wholeText } from "./kafka_error.ts";
import type { Notices } from "./notices.ts";

/** The npm package's clients, as far as they are alike. */
export type AnyClient =
  | InstanceType<KafkaJavascript["KafkaConsumer"]>
  | InstanceType<KafkaJavascript["Producer"]>
  | InstanceType<KafkaJavascript["AdminClient"]>;

/** After so long without an answer, in milliseconds, one hears of it. */
const PATIENCE_MS = 3000;
/** librdkafka's severity of errors, from syslog: lower is worse. */
const SEVERITY_ERROR = 3;
const FOREVER_MS = 2_147_483_647;

const STATE = -172;
const TRANSPORT = -195;
const SSL = -181;
const AUTHENTICATION = -169;

/**
 * Connects, and keeps trying until a broker answers or the client is disconnected. A broker that refuses the
 * credentials, or whose certificate or ours is refused, will do so the next time too: then it disconnects.
 *
 * @throws {KafkaError} If librdkafka can't make the client, a broker can't be trusted or does not trust us, or the
 * client was disconnected meanwhile.
 */
export async function connected(client: AnyClient, where: string, servers: unknown, notices: Notices): Promise<void> {
  const emitter = client as unknown as {
    on(event: "event.log", listener: (log: { severity: number; message: string }) => void): void;
    on(event: "event.error", listener: (error: Error) => void): void;
    connect(options: object, callback: (error: Error | null) => void): void;
  };
  let reason = "", failure = "";
  let refused: KafkaError | undefined, over = false;
  emitter.on("event.log", ({ severity, message }) => {
    if (severity <= SEVERITY_ERROR) reason = failure = message;
  });
  // An emitter without a listener throws; troubles of the connection are told here, in one place.
  emitter.on("event.error", (error) => {
    const code = KafkaError.codeOf(error);
    // librdkafka logs why, and then makes the event.
    const refusal = over ? undefined : refusalOf(code, failure);
    if (refusal !== undefined) {
      over = true;
      refused = new KafkaError(`${where}: can't connect to ${servers}: ${withoutThread(failure)}`, {
        code: refusal,
        cause: error,
      });
      void disconnected(client);
    }
    if (code === undefined || reason !== "") return;
    reason = error.message;
  });
  const patience = setTimeout(() => {
    const why = reason === "" ? "" : ` (${reason})`;
    notices.once("broker", `${where}: no broker answers at ${servers} yet${why}; still trying`);
  }, PATIENCE_MS);
  try {
    await new Promise<void>((resolve, reject) => {
      emitter.connect({ allTopics: false, timeout: FOREVER_MS }, (error) => error ? reject(error) : resolve());
    });
    notices.over("broker", `${where}: a broker at ${servers} answers`);
  } catch (error) {
    if (refused !== undefined) throw refused;
    if (disconnects.has(client)) {
      throw new KafkaError(`${where}: closed before a broker at ${servers} had answered`, { cause: error });
    }
    throw KafkaError.from(`${where}: can't connect to ${servers}`, coded(error));
  } finally {
    over = true;
    clearTimeout(patience);
  }
}

/** The code of an error that trying again won't mend. */
function refusalOf(code: number | undefined, logged: string): number | undefined {
  // Without a log it is a token that was not to be had; librdkafka asks for one again.
  if (code === AUTHENTICATION && /SASL/.test(logged)) return code;
  if (!/certificate|unknown ca/i.test(logged)) return undefined;
  // A broker refuses our certificate after the handshake: an alert instead of its first answer.
  return code === SSL || (code === TRANSPORT && /SSL.*alert/i.test(logged)) ? SSL : undefined;
}

/** A consumer that can't be made says so without a code. */
function coded(error: unknown): unknown {
  if (!(error instanceof Error) || KafkaError.codeOf(error) !== -1) return error;
  return Object.assign(new Error(wholeText(error), { cause: error }), { code: STATE });
}

/** librdkafka's log names the thread before all else. */
function withoutThread(message: string): string {
  return message.replace(/^\[thrd:[^\]]*\]: /, "");
}

const disconnects = new WeakMap<AnyClient, Promise<void>>();

/** Disconnects; nothing of the client is left afterwards. Idempotent, since the package would not answer twice. */
export function disconnected(client: AnyClient): Promise<void> {
  const known = disconnects.get(client);
  if (known !== undefined) return known;
  // The binding's own disconnect, since a producer's of the package flushes first: callers do that themselves.
  const disconnect = new Promise<void>((resolve) => {
    const { _disconnect } = client as unknown as { _disconnect?: (callback: () => void) => void };
    if (_disconnect !== undefined) _disconnect.call(client, () => resolve());
    else (client as unknown as { disconnect(callback: () => void): void }).disconnect(() => resolve());
  });
  disconnects.set(client, disconnect);
  return disconnect;
}
