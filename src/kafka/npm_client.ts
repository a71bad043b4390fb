/**
 * What a consumer and a producer of the npm client have in common: connecting and disconnecting.
 *
 * @module
 */

import { type CodedError, codedError, errorCodeOf, wholeText } from "./npm_errors.ts";
import { type ClientEvents, ErrorCode, type PortClient } from "./port.ts";

/** The part of the package's `Client` that is used here; its types lack some of it. */
interface PackageClient {
  on(event: "event.log", listener: (log: { severity: number; message: string }) => void): unknown;
  on(event: "event.error", listener: (error: Error & { code?: unknown; isFatal?: unknown }) => void): unknown;
  connect(options: object, callback: (error: unknown) => void): unknown;
  disconnect(callback: () => void): unknown;
  /** A producer's `disconnect()` without the flush that precedes it. */
  _disconnect?(callback: () => void): unknown;
  isConnected(): boolean;
}

/** The longest time-out that fits an `int`. */
const FOREVER_MS = 2_147_483_647;
/** The npm client's code for an error without one of librdkafka's. */
const NO_CODE = -1;

/** A client of the npm package that connects and disconnects as the port demands. */
export class NpmClient implements PortClient {
  readonly #client: PackageClient;
  #disconnected: Promise<void> | undefined;

  constructor(client: unknown, events: ClientEvents) {
    this.#client = client as PackageClient;
    this.#client.on("event.log", ({ severity, message }) => events.onLog?.(severity, message));
    // Listened to from the start: errors come before connect() answers, and an emitter without a listener throws them.
    this.#client.on("event.error", (error) => {
      events.onError(errorCodeOf(error) ?? NO_CODE, wholeText(error), error.isFatal === true);
    });
  }

  get isConnected(): boolean {
    return this.#client.isConnected();
  }

  get isDisconnecting(): boolean {
    return this.#disconnected !== undefined;
  }

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      // By default the package asks for the metadata of all topics, and gives up after 30 s.
      this.#client.connect(
        { allTopics: false, timeout: FOREVER_MS },
        (error) => error ? reject(connectError(error)) : resolve(),
      );
    });
  }

  disconnect(): Promise<void> {
    // The package does not answer a second disconnect().
    return this.#disconnected ??= new Promise((resolve) => {
      const client = this.#client;
      if (client._disconnect === undefined) client.disconnect(() => resolve());
      else client._disconnect(() => resolve());
    });
  }
}

/** A consumer that can't be made fails without a code. */
function connectError(error: unknown): CodedError {
  const coded = codedError(error);
  return coded.code === NO_CODE ? Object.assign(coded, { code: ErrorCode.STATE }) : coded;
}
