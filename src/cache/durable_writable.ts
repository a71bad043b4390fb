/**
 * A stream of which each value is on disk before the next is taken.
 *
 * @module
 */

/**
 * Makes the stream.
 *
 * @param write resolves when a value is on disk; when it rejects, the stream has failed
 * @param ended called when the stream closes, fails or is aborted; perhaps more than once
 */
export function writableOf<T>(write: (value: T) => Promise<void>, ended: () => void): WritableStream<T> {
  return new WritableStream({
    start: ({ signal }) => signal.addEventListener("abort", ended),
    write: async (value) => {
      try {
        await write(value);
      } catch (error) {
        ended();
        throw error;
      }
    },
    close: ended,
  });
}
