import { emitAll, type HandlerOutput } from "./handler.ts";

/**
 * Makes a TransformStream of a handler, for `pipeThrough()`.
 *
 * The handler emits the value that it returns, the value of the promise that it returns, or every value that it yields.
 * It emits nothing for `undefined`. The handler runs only as far as the stream is read. When it throws, both sides of the
 * stream fail with the error.
 *
 * @typeParam T a message
 * @typeParam O what the handler emits
 * @param handler is called with each message
 * @returns a stream that takes messages and emits what the handler emits
 *
 * @example
 * ```ts
 * import { transform } from "@slipstream/slipstream";
 *
 * const doubled = ReadableStream.from([1, 2]).pipeThrough(transform((n: number) => n * 2));
 * console.assert((await Array.fromAsync(doubled)).join() === "2,4");
 * ```
 */
export function transform<T, const O>(handler: (message: T) => HandlerOutput<O>): TransformStream<T, O> {
  let room = Promise.withResolvers<void>();
  let failed: unknown;
  let controller!: ReadableStreamDefaultController<O>;
  let incoming!: WritableStreamDefaultController;
  const fail = (reason: unknown) => {
    failed = reason;
    room.reject(reason);
  };
  const readable = new ReadableStream<O>({
    start: (own) => void (controller = own),
    pull: () => room.resolve(),
    cancel: (reason) => {
      fail(reason ?? new Error("the reader of a transform() was cancelled without a reason"));
      incoming.error(failed); // At once, not when the next message comes: there may be none.
    },
  }, { highWaterMark: 0 });
  room.promise.catch(() => {});
  const emit = async (value: unknown) => {
    await room.promise;
    room = Promise.withResolvers<void>();
    room.promise.catch(() => {});
    controller.enqueue(value as O);
  };
  const writable = new WritableStream<T>({
    start(own) {
      incoming = own;
      // `abort()` waits for the present message, which may wait for a reader: the signal ends that wait.
      own.signal.addEventListener("abort", () => {
        fail(own.signal.reason ?? new Error("the writer of a transform() was aborted without a reason"));
        controller.error(failed);
      });
    },
    async write(message) {
      if (failed !== undefined) throw failed;
      try {
        await emitAll(handler(message), emit, undefined);
      } catch (error) {
        if (failed === undefined) controller.error(error);
        throw error;
      }
    },
    close: () => {
      if (failed === undefined) controller.close();
    },
  });
  return { readable, writable };
}
