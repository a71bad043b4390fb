/**
 * Errors of the npm client as the port has them: the whole text, and librdkafka's code.
 *
 * @module
 */

/** An error as the port has it; `isFatal` if the client is of no further use. */
export type CodedError = Error & { readonly code?: number; readonly isFatal?: true };

/** The code of an error of the npm client; `undefined` if it has none. */
export function errorCodeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "number" ? code : undefined;
}

/** The whole text of an error. The npm client shortens the message of an Error from its addon, and keeps it in the stack. */
export function wholeText({ message, stack }: Error): string {
  const whole = /^Error: (.*)/.exec(stack ?? "")?.[1];
  return whole?.toLowerCase().includes(message) ? whole : message;
}

/** Turns an error of the npm client into one of the port; the original is its cause. */
export function codedError(error: unknown): CodedError {
  const text = error instanceof Error ? wholeText(error) : String((error as { message?: unknown })?.message ?? error);
  const code = errorCodeOf(error), isFatal = (error as { isFatal?: unknown } | null)?.isFatal === true;
  return Object.assign(
    new Error(text, { cause: error }),
    code === undefined ? {} : { code },
    isFatal ? { isFatal } as const : {},
  );
}

/** Makes a promise of a call of the npm client that takes a callback. Rejects with a `CodedError`. */
export function promisify<T>(call: (callback: (error: unknown, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => call((error, value) => error ? reject(codedError(error)) : resolve(value)));
}
