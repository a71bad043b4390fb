/**
 * A wait with a time limit.
 *
 * @module
 */

/** The functions that set and clear a timer. */
export type Timers = Pick<typeof globalThis, "setTimeout" | "clearTimeout">;

/**
 * Waits until a promise settles, but no longer than a time. Leaves no timer running.
 *
 * A rejection counts as settled and is not thrown: await the promise itself for it.
 *
 * @param promise the promise to wait for
 * @param ms the longest wait, in milliseconds
 * @param timers where the timer comes from; the current global functions, which may be a fake clock's, by default
 * @returns whether the promise has settled in that time
 */
export async function settlesWithin(
  promise: Promise<unknown>,
  ms: number,
  timers: Timers = globalThis,
): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => timer = timers.setTimeout(() => resolve(false), ms));
  try {
    return await Promise.race([promise.then(() => true, () => true), late]);
  } finally {
    timers.clearTimeout(timer);
  }
}
