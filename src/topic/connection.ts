/**
 * A client of the npm package, connected; however long that takes.
 *
 * @module
 */

import type { KafkaJavascript } from "../librdkafka/kafka_javascript.ts";
import { KafkaError } from "./kafka_error.ts";
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

/**
 * Connects, and keeps trying until a broker answers or the client is disconnected.
 *
 * @throws {KafkaError} If librdkafka can't make the client, or it was disconnected meanwhile.
 */
export async function connected(client: AnyClient, where: string, servers: unknown, notices: Notices): Promise<void> {
  const emitter = client as unknown as {
    on(event: "event.log", listener: (log: { severity: number; message: string }) => void): void;
    on(event: "event.error", listener: (error: Error) => void): void;
    connect(options: object, callback: (error: Error | null) => void): void;
  };
  let reason = "";
  emitter.on("event.log", ({ severity, message }) => {
    if (severity <= SEVERITY_ERROR) reason = message;
  });
  // An emitter without a listener throws; troubles of the connection are told here, in one place.
  emitter.on("event.error", (error) => {
    const code = KafkaError.codeOf(error);
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
    throw KafkaError.from(`${where}: can't connect to ${servers}`, error);
  } finally {
    clearTimeout(patience);
  }
}

/** Disconnects; nothing of the client is left afterwards. */
export function disconnected(client: AnyClient): Promise<void> {
  // The binding's own disconnect, since a producer's of the package flushes first: callers do that themselves.
  return new Promise((resolve) => {
    const { _disconnect } = client as unknown as { _disconnect?: (callback: () => void) => void };
    if (_disconnect !== undefined) _disconnect.call(client, () => resolve());
    else (client as unknown as { disconnect(callback: () => void): void }).disconnect(() => resolve());
  });
}
