/**
 * Calls that wait inside librdkafka, kept few and short.
 *
 * They run on Deno's 32 blocking threads, which file reads and DNS need too: at most {@linkcode LANES} of ours run
 * at once. A call with a long time-out is made of short ones, so that a client can be closed at once although no
 * broker answers.
 *
 * @module
 */

/** How many of Deno's 32 blocking threads calls of this module take at once. */
const LANES = 8;
const FIRST_SLICE_MS = 100;
/** While no broker is connected, calls are short and have pauses between them, in which the lane is free. */
const SEARCH_SLICE_MS = 20;
const MOST_PAUSE_MS = 100;

const TIMED_OUT = -185;
/** No broker is connected; what needs a partition's leader says the latter. */
const NOBODY: ReadonlySet<number> = new Set([-195, -187]);

let running = 0;
const waiting: (() => void)[] = [];

/** Runs a blocking call when a lane is free, first come, first served. */
export async function blocking<T>(call: () => Promise<T>): Promise<T> {
  if (running >= LANES) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await call();
  } finally {
    // The lane is handed on, so that nobody slips in between.
    const next = waiting.shift();
    if (next !== undefined) next();
    else running--;
  }
}

/**
 * Calls something that waits for a broker, in slices, until it answers, time is out or the client closes.
 *
 * A slice that ends because no broker is connected is followed by short ones with pauses between, so that a hundred
 * clients without a broker don't keep others from theirs; one that ends although a broker is connected is doubled, so
 * that a slow broker's answer fits one some time.
 *
 * @returns librdkafka's code for the last slice
 */
export async function sliced(
  timeoutMs: number,
  closing: () => boolean,
  call: (sliceMs: number) => Promise<number>,
): Promise<number> {
  const wholeMs = Math.trunc(timeoutMs) || 0;
  // A negative time-out is librdkafka's way to say: for ever.
  const deadline = wholeMs < 0 ? Infinity : performance.now() + wholeMs;
  let slice = FIRST_SLICE_MS, pause = 10;
  for (;;) {
    const left = deadline - performance.now();
    // A time-out of 0 stays one: librdkafka then answers from what it knows.
    const code = await blocking(() => call(wholeMs === 0 ? 0 : Math.max(1, Math.min(slice, Math.ceil(left)))));
    if ((code !== TIMED_OUT && !NOBODY.has(code)) || closing() || performance.now() >= deadline) return code;
    if (code === TIMED_OUT) slice *= 2;
    else {
      slice = SEARCH_SLICE_MS;
      await new Promise((resolve) => setTimeout(resolve, Math.min(pause, deadline - performance.now())));
      if (closing()) return code;
      pause = Math.min(MOST_PAUSE_MS, pause * 2);
    }
  }
}
