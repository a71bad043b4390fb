/**
 * The seed of what tests draw at random, so that a run that failed can be repeated.
 *
 * A file of tests that draws from it prints `TEST_SEED=42`, and `TEST_SEED=42 deno task test tests/cache` draws the same
 * numbers again. The programs that a test starts inherit the seed. Threads, processes and brokers still take their own time.
 *
 * The simulation and the chaos have seeds of their own, `SIMULATION_SEED` and `CHAOS_SEED`.
 *
 * @module
 */

const fromEnv = Deno.env.get("TEST_SEED");

/** Draws a seed. */
export function newSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}

/**
 * The seed of this process: that of `TEST_SEED`, or a new one. `new Random(SEED, "what for")` makes numbers of it, and
 * `fc.assert()` takes it as an option.
 */
export const SEED: number = fromEnv === undefined ? newSeed() : Number(fromEnv);

if (fromEnv === undefined) {
  Deno.env.set("TEST_SEED", `${SEED}`);
  console.log(`TEST_SEED=${SEED}`);
}

/** Calls in a test's source that draw numbers which no seed repeats. */
export function unseededCalls(source: string): string[] {
  const calls = [...source.matchAll(/\bMath\.random\b[^\n]*|\bfc\.(?:assert|check|sample)\(/g)];
  return calls
    .map(({ 0: call, index }) => call.endsWith("(") ? callAt(source, index) : call)
    .filter((call) => call.startsWith("Math.random") || !/\bseed\b/.test(call))
    .map((call) => call.split("\n")[0]!);
}

/** The text of a call up to its closing parenthesis. Parentheses inside of strings are taken to come in pairs. */
function callAt(source: string, start: number): string {
  let depth = 0;
  for (let index = source.indexOf("(", start); index < source.length; index++) {
    if (source[index] === "(") depth++;
    if (source[index] === ")" && --depth === 0) return source.slice(start, index + 1);
  }
  return source.slice(start);
}
