/**
 * A stream whose writes resolve when their values are on disk.
 *
 * @module
 */

/**
 * Makes the stream, which takes a value only after the one before it is on disk.
 *
 * @param write resolves when a value is on disk; the stream fails if it rejects
 * @param onEnd called when the stream closes, fails or is aborted; may be called more than once
 */
export function durableWritable<T>(write: (value: T) => Promise<void>, onEnd: () => void): WritableStream<T> {
  return new WritableStream({
    start: ({ signal }) => signal.addEventListener("abort", onEnd),
    write: async (value) => {
      try {
        await write(value);
      } catch (error) {
        onEnd();
        throw error;
      }
    },
    close: onEnd,
  });
}
