/**
 * Reading a Topic message by message: `for await` and `Topic.readable`.
 *
 * @module
 */

import type { Decoder } from "./read/decoder.ts";
import type { Message } from "./read/message.ts";
import type { TopicReader } from "./read/topic_reader.ts";

/** How often the offsets of handled messages are stored at least, in milliseconds. */
const STORE_MS = 100;

/** What reading needs of a Topic. */
export interface MessageReading<K, V> {
  readonly decoder: Decoder<K, V>;
  /** Starts reading. */
  open(): TopicReader;
  /** Ends reading. */
  close(reader: TopicReader): Promise<void>;
}

/** Returns the messages of a Topic; reading starts with the first `next()`. */
export function iterateMessages<K, V>(
  reading: MessageReading<K, V>,
): AsyncGenerator<Message<K, V>, void, undefined> {
  let reader: TopicReader | undefined;
  const messages = generateMessages(reading, (opened) => reader = opened);
  const end = messages.return.bind(messages);
  // A generator that awaits messages handles `return()` only after the next message: stopping the reader ends the wait.
  messages.return = (value) => {
    reader?.stop();
    return end(value);
  };
  return messages;
}

/**
 * Returns the messages of a Topic as a stream; reading starts with the first pull.
 *
 * @param onEnded called when the stream has ended, failed or was cancelled
 */
export function readableMessages<K, V>(
  reading: MessageReading<K, V>,
  onEnded: () => void,
): ReadableStream<Message<K, V>> {
  // Undefined before the first pull: until then, a reader of the Topic belongs to somebody else.
  let reader: TopicReader | undefined;
  const messages = generateMessages(reading, (opened) => reader = opened);
  return new ReadableStream<Message<K, V>>({
    async pull(controller) {
      try {
        const { done, value } = await messages.next();
        if (!done) return controller.enqueue(value);
        onEnded();
        controller.close();
      } catch (error) {
        onEnded();
        throw error;
      }
    },
    // The generator may be waiting for messages: stopping the reader ends the wait.
    cancel: async (reason) => {
      onEnded();
      // The pipe may have lost what it has pulled lately.
      if (reason !== undefined) reader?.stopStoring();
      reader?.stop();
      await messages.return();
    },
  }, { highWaterMark: 0 });
}

async function* generateMessages<K, V>(
  { decoder, open, close }: MessageReading<K, V>,
  onOpened: (reader: TopicReader) => void,
): AsyncGenerator<Message<K, V>, void, undefined> {
  const reader = open();
  onOpened(reader);
  try {
    for (let batch; (batch = await reader.next()) !== undefined;) {
      let storedAt = performance.now();
      try {
        for (const [index, raw] of batch.messages.entries()) {
          if (reader.isPaused) await reader.resumed();
          // The reader was closed instead of resumed.
          if (reader.isPaused) return;
          if (batch.isStale(raw)) continue;
          const decoded = decoder.one(raw);
          const message = decoded instanceof Promise ? await decoded : decoded;
          // `Topic.seek` may have been called while the codec was busy.
          if (decoded instanceof Promise && batch.isStale(raw)) continue;
          // `break` and an error in the loop's body look the same from here: either way the message is not handled.
          yield message;
          batch.handled = index + 1;
          if (performance.now() - storedAt >= STORE_MS) {
            reader.store();
            storedAt = performance.now();
          }
        }
        batch.handled = batch.messages.length;
      } finally {
        batch.done(batch.handled);
      }
    }
  } finally {
    await close(reader);
  }
}
