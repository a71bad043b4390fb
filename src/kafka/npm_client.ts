/**
 * What a consumer and a producer of the npm client have in common: their making, their connection and their errors.
 *
 * @module
 */

import { type ClientEvents, ErrorCode, type PortClient } from "./port.ts";

/** The npm client's `Client`, as far as it is used here; some of it is left out of its types. */
interface PackageClient {
  on(event: "event.log", listener: (log: { severity: number; message: string }) => void): unknown;
  on(event: "event.error", listener: (error: Error & { code?: unknown; isFatal?: unknown }) => void): unknown;
  connect(options: object, callback: (error: unknown) => void): unknown;
  disconnect(callback: () => void): unknown;
  /** A producer's disconnect without the flush before it. */
  _disconnect?(callback: () => void): unknown;
  isConnected(): boolean;
}

/** An error as the port has it; `isFatal` when the client can't go on. */
export type CodedError = Error & { readonly code?: number; readonly isFatal?: true };

const FOREVER_MS = 2_147_483_647;
/** What the npm client says where librdkafka gave no code. */
const NO_CODE = -1;

/** A client of the npm package, connected and disconnected as the port says. */
export class NpmClient implements PortClient {
  readonly #client: PackageClient;
  #disconnected: Promise<void> | undefined;

  constructor(client: unknown, events: ClientEvents) {
    this.#client = client as PackageClient;
    this.#client.on("event.log", ({ severity, message }) => events.onLog?.(severity, message));
    // An emitter whose "error" nobody listens to throws; and errors of the connection come before connect() answers.
    this.#client.on("event.error", (error) => {
      events.onError(codeOf(error) ?? NO_CODE, wholeText(error), error.isFatal === true);
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
      // The metadata of all topics is asked for by default, and given up after 30 s.
      this.#client.connect(
        { allTopics: false, timeout: FOREVER_MS },
        (error) => error ? reject(refusal(error)) : resolve(),
      );
    });
  }

  disconnect(): Promise<void> {
    // The package would not answer a second time.
    return this.#disconnected ??= new Promise((resolve) => {
      const client = this.#client;
      if (client._disconnect === undefined) client.disconnect(() => resolve());
      else client._disconnect(() => resolve());
    });
  }
}

/** The code of an error of the npm client. */
export function codeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "number" ? code : undefined;
}

/** An error of the npm client with all that it says, and its code. */
export function coded(error: unknown): CodedError {
  const text = error instanceof Error ? wholeText(error) : String((error as { message?: unknown })?.message ?? error);
  const code = codeOf(error), isFatal = (error as { isFatal?: unknown } | null)?.isFatal === true;
  return Object.assign(
    new Error(text, { cause: error }),
    code === undefined ? {} : { code },
    isFatal ? { isFatal } as const : {},
  );
}

/** Why there is no connection. A consumer that can't be made says so without a code. */
function refusal(error: unknown): CodedError {
  const refused = coded(error);
  return refused.code === NO_CODE ? Object.assign(refused, { code: ErrorCode.STATE }) : refused;
}

/** What an error says. The npm client cuts an Error that its native half hands it, and keeps the whole in the stack. */
function wholeText({ message, stack }: Error): string {
  const whole = /^Error: (.*)/.exec(stack ?? "")?.[1];
  return whole?.toLowerCase().includes(message) ? whole : message;
}

/** Asks with a callback, as the npm client has it. */
export function asked<T>(ask: (answer: (error: unknown, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => ask((error, value) => error ? reject(coded(error)) : resolve(value)));
}
