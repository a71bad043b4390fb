/**
 * Dead letters: what is written to a Topic for a message that can't be handled.
 *
 * @module
 */

import { type HandlerError, textOf } from "./handler_error.ts";
import { DEAD_LETTER_ERROR_BYTES } from "./limits.ts";
import type { Batch, RawMessage } from "../protocol/protocol.ts";

const encoder = new TextEncoder();

/**
 * Makes the dead letter of a message: the bytes of its key and value, its headers, and behind these headers in UTF-8 that
 * describe the failure: `slipstream.error`, `.handler`, `.topic`, `.partition`, `.offset` and `.timestamp` (the last four if
 * they are known).
 *
 * The text of the error is cut after 4096 bytes. If the source has no bytes of the message (`Batch.raw`), the message itself
 * is the value: bytes and strings unchanged, anything else as JSON.
 */
export function deadLetter(error: HandlerError, batch: Batch<unknown> | undefined, message: unknown): RawMessage {
  const raw = batch?.raw?.(message) ?? { key: null, value: bytesOf(message), headers: [] };
  const { timestamp } = (message ?? {}) as { timestamp?: unknown };
  const facts = {
    error: cut(error.cause instanceof Error ? `${error.cause.name}: ${error.cause.message}` : textOf(error.cause)),
    handler: error.handler,
    topic: error.topic,
    partition: error.partition,
    offset: error.offset,
    timestamp: typeof timestamp === "number" ? timestamp : undefined,
  };
  const errorHeaders = Object.entries(facts).flatMap(([name, fact]) =>
    fact === undefined ? [] : [[`slipstream.${name}`, encoder.encode(String(fact))] as const]
  );
  return { key: raw.key, value: raw.value, headers: [...raw.headers, ...errorHeaders] };
}

/** Cuts a text that takes more than 4096 bytes, and appends its full length. */
function cut(text: string): string {
  const buffer = new Uint8Array(DEAD_LETTER_ERROR_BYTES);
  // `encodeInto()` writes whole characters only.
  if (encoder.encodeInto(text, buffer).read === text.length) return text;
  const end = `… (cut: the text has ${text.length} characters)`;
  const { read } = encoder.encodeInto(text, buffer.subarray(encoder.encode(end).length));
  return text.slice(0, read) + end;
}

function bytesOf(message: unknown): Uint8Array | null {
  if (message === null || message === undefined) return null;
  if (message instanceof Uint8Array) return message;
  if (typeof message === "string") return encoder.encode(message);
  try {
    return encoder.encode(JSON.stringify(message) ?? String(message));
  } catch {
    return encoder.encode(String(message)); // Circular, or with a bigint: some text is better than another failure.
  }
}
