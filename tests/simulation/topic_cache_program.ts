/**
 * Programs over the real Topic and Cache as data: they are generated at random, shrunk and printed.
 *
 * A number that refers to a part is taken modulo the number of such parts.
 *
 * @module
 */

import fc from "fast-check";

/** How a broker fails for a record: it refuses it, now or later; it loses the answer; or it is slow. */
export type ProduceFault = "refused" | "refusedLater" | "unacknowledged" | "slow";
/** How a commit of a Cache fails: before or after it reaches the disk; it is slow; or it never ends. */
export type CommitFault = "fails" | "failsMade" | "slow" | "never";

/** A fault of the record, or the commit, with a number, and of those that follow it. */
export interface TopicCacheFault<K extends string> {
  readonly at: number;
  readonly times: number;
  readonly kind: K;
}

/** A handler. Both apps have it. */
export interface TopicCacheHandler {
  readonly source: number;
  /** The sinks by number: Caches first, then Topics. */
  readonly sinks: readonly number[];
  readonly isAsync: boolean;
  readonly ms: number;
  readonly emits: number;
  readonly concurrency: number;
  readonly attempts: number;
  readonly retryMs: number;
  readonly onError: "fail" | "skip" | "letters" | "function";
  /** The record with the offset `at` fails in its first attempts. */
  readonly throws: readonly { readonly at: number; readonly times: number }[];
}

/** An event in a life: after a time, or while the message of that number is handled. */
export interface TopicCacheEvent {
  readonly on: "ms" | "message";
  readonly at: number;
  readonly what:
    | "crash"
    | "abort"
    | "stopApp"
    | "rebalance"
    | "lose"
    | "seek"
    | "stopBinding"
    | "send"
    | "write"
    | "closeWritable"
    | "burst"
    | "fatal"
    | "down";
  readonly of: number;
}

/** A life: from the start of the apps to their end. */
export interface TopicCacheLife {
  readonly events: readonly TopicCacheEvent[];
  readonly ms: number;
  /** Whether the next life goes on with the same Topics and Caches, if this one did not crash. */
  readonly goesOn: boolean;
}

/** A program. */
export interface TopicCacheProgram {
  readonly apps: number;
  /** How many records each partition has, by source. */
  readonly sources: readonly (readonly number[])[];
  readonly isCooperative: boolean;
  readonly caches: number;
  readonly topics: number;
  readonly outPartitions: number;
  /** How many records a producer may hold. */
  readonly room: number;
  readonly encodesLater: boolean;
  readonly delayMs: number;
  readonly handlers: readonly TopicCacheHandler[];
  readonly unreadable: readonly { readonly at: number; readonly times: number }[];
  readonly produce: readonly TopicCacheFault<ProduceFault>[];
  readonly commits: readonly TopicCacheFault<CommitFault>[];
  readonly lives: readonly TopicCacheLife[];
  readonly seed: number;
}

function mostly<T>(weight: number, usual: T, others: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: others });
}

function faults<K extends string>(...kinds: readonly K[]): fc.Arbitrary<readonly TopicCacheFault<K>[]> {
  const fault = fc.record({
    at: fc.nat(30),
    times: fc.integer({ min: 1, max: 3 }),
    kind: fc.constantFrom(...kinds),
  });
  return mostly<readonly TopicCacheFault<K>[]>(1, [], fc.array(fault, { minLength: 1, maxLength: 3 }));
}

const failing = (most: number) =>
  fc.array(
    fc.record({ at: fc.nat(8), times: fc.constantFrom(1, 1, 2, 4) }),
    { maxLength: most },
  );

const handler: fc.Arbitrary<TopicCacheHandler> = fc.record({
  source: fc.nat(1),
  sinks: fc.uniqueArray(fc.nat(3), { maxLength: 3 }),
  isAsync: fc.boolean(),
  ms: fc.constantFrom(0, 0, 1, 7, 6000),
  emits: fc.constantFrom(1, 1, 1, 2, 0),
  concurrency: fc.constantFrom(1, 1, 3),
  attempts: fc.constantFrom(1, 1, 2),
  retryMs: fc.constantFrom(0, 20),
  onError: fc.constantFrom("fail", "skip", "letters", "letters", "function"),
  throws: mostly<TopicCacheHandler["throws"]>(1, [], failing(2)),
});

const event: fc.Arbitrary<TopicCacheEvent> = fc.record({
  on: fc.constantFrom("ms", "message"),
  at: fc.nat(30),
  what: fc.constantFrom(
    "crash",
    "crash",
    "abort",
    "stopApp",
    "rebalance",
    "rebalance",
    "lose",
    "seek",
    "seek",
    "stopBinding",
    "send",
    "send",
    "write",
    "write",
    "closeWritable",
    "burst",
    "fatal",
    "down",
  ),
  of: fc.nat(5),
});

const life: fc.Arbitrary<TopicCacheLife> = fc.record({
  events: fc.array(event, { maxLength: 5 }),
  ms: fc.constantFrom(30, 700, 3000, 20_000),
  goesOn: fc.boolean(),
});

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 6 }) },
  { weight: 1, arbitrary: fc.integer({ min: 7, max: 40 }) },
);

/** Any program. */
export const anyTopicCacheProgram: fc.Arbitrary<TopicCacheProgram> = fc.record({
  apps: fc.constantFrom(1, 2),
  sources: fc.array(fc.array(size, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 }),
  isCooperative: fc.boolean(),
  caches: fc.constantFrom(1, 2),
  topics: fc.constantFrom(1, 2),
  outPartitions: fc.constantFrom(1, 2),
  room: mostly(2, 100_000, fc.constantFrom(1, 3)),
  encodesLater: mostly(4, false, fc.constant(true)),
  delayMs: fc.constantFrom(0, 0, 1, 20),
  handlers: fc.array(handler, { minLength: 1, maxLength: 3 }),
  unreadable: mostly<TopicCacheProgram["unreadable"]>(5, [], failing(1)),
  produce: faults("refused", "refusedLater", "unacknowledged", "slow"),
  commits: faults("fails", "failsMade", "slow", "never"),
  lives: fc.array(life, { minLength: 1, maxLength: 3 }),
  seed: fc.nat(1000),
});
