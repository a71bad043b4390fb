/**
 * Generates programs at random.
 *
 * @module
 */

import fc from "fast-check";
import type {
  EventSpec,
  FaultSpec,
  HandlerSpec,
  Program,
  RunSpec,
  SinkSpec,
  SourceSpec,
  StageSpec,
} from "./program.ts";

/** Generates mostly the first value: most parts of most programs are plain. */
function mostly<T>(weight: number, usual: T, others: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: others });
}

const small = fc.nat(20);
const few = fc.nat(3);

function faults<K extends string>(kinds: readonly K[], most: number): fc.Arbitrary<readonly FaultSpec<K>[]> {
  const fault = fc.record({ at: small, times: fc.integer({ min: 1, max: 3 }), kind: fc.constantFrom(...kinds) });
  return mostly<readonly FaultSpec<K>[]>(2, [], fc.array(fault, { minLength: 1, maxLength: most }));
}

const size = fc.oneof(
  { weight: 30, arbitrary: fc.integer({ min: 1, max: 5 }) },
  { weight: 8, arbitrary: fc.integer({ min: 6, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: 1000 }) },
);

const source: fc.Arbitrary<SourceSpec> = fc.record({
  kind: mostly<SourceSpec["kind"]>(5, "batches", fc.constantFrom("array", "generator", "stream")),
  partitions: fc.integer({ min: 1, max: 3 }),
  batches: fc.oneof(
    { weight: 12, arbitrary: fc.array(size, { minLength: 1, maxLength: 5 }) },
    { weight: 1, arbitrary: fc.constant(Array(45).fill(1)) },
  ),
  megabytes: mostly(8, 0, fc.constantFrom(20, 70)),
  gapMs: mostly(2, 0, fc.integer({ min: 1, max: 15 })),
  end: mostly<SourceSpec["end"]>(6, "end", fc.constantFrom("open", "fail", "silent")),
  unreadable: mostly<SourceSpec["unreadable"]>(6, [], faults(["codec"], 2)),
  storeMs: mostly(3, 0, fc.integer({ min: 1, max: 10 })),
  storeFails: mostly<number | undefined>(12, undefined, few),
  closeFails: mostly(25, false, fc.constant(true)),
});

const sink: fc.Arbitrary<SinkSpec> = fc.record({
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constant("values" as const) },
    { weight: 3, arbitrary: fc.constant("groups" as const) },
    { weight: 4, arbitrary: fc.constantFrom("function" as const, "asyncFunction" as const, "writable" as const) },
    { weight: 2, arbitrary: fc.constant("link" as const) },
  ),
  room: mostly(1, 1000, fc.integer({ min: 1, max: 4 })),
  ms: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20 })),
  faults: fc.oneof(
    { weight: 12, arbitrary: faults(["refuse", "undelivered", "commit"], 3) },
    { weight: 1, arbitrary: faults(["fatal", "fatalLater", "stuck"], 1) },
  ),
  closeMs: mostly(3, 0, fc.integer({ min: 1, max: 30 })),
  closeFails: mostly(25, false, fc.constant(true)),
});

const stage: fc.Arbitrary<StageSpec> = fc.record({
  kind: fc.constantFrom(
    "map",
    "filter",
    "double",
    "hold",
    "late",
    "ahead",
    "early",
    "throws",
    "throwsAtEnd",
    "transform",
    "transformInstance",
    "terminate",
    "transformThrows",
  ),
  n: fc.nat(5),
});

const handler: fc.Arbitrary<HandlerSpec> = fc.record({
  sources: fc.array(few, { minLength: 1, maxLength: 2 }),
  readsLink: mostly(2, false, fc.constant(true)),
  sinks: fc.array(few, { maxLength: 3 }),
  kind: fc.constantFrom("sync", "sync", "async", "generator", "asyncGenerator"),
  ms: mostly(1, 0, fc.integer({ min: 1, max: 20 })),
  emits: mostly(2, 1, few),
  concurrency: mostly(2, 1, fc.integer({ min: 2, max: 4 })),
  keys: fc.integer({ min: 1, max: 4 }),
  pipe: mostly<readonly StageSpec[]>(2, [], fc.array(stage, { minLength: 1, maxLength: 2 })),
  retry: mostly<HandlerSpec["retry"]>(
    2,
    undefined,
    fc.record({
      attempts: fc.integer({ min: 2, max: 4 }),
      ms: fc.constantFrom(0, 5, 40_000),
      signal: fc.boolean(),
    }),
  ),
  onError: fc.constantFrom("fail", "fail", "skip", "skip", "letters", "function", "slowFunction", "brokenFunction"),
  throws: faults(["throw", "throw", "throw", "throw", "throw", "fatal"] as ("throw" | "fatal")[], 3),
  stopAt: mostly<number | undefined>(8, undefined, small),
});

const event: fc.Arbitrary<EventSpec> = fc.record({
  on: fc.constantFrom("ms", "message"),
  at: fc.nat(50),
  what: fc.constantFrom(
    "abort",
    "abort",
    "abortRetries",
    "crash",
    "pause",
    "resume",
    "moved",
    "moved",
    "seek",
    "stopBinding",
  ),
  of: fc.nat(11),
});

const run: fc.Arbitrary<RunSpec> = fc.record({
  events: mostly<readonly EventSpec[]>(1, [], fc.array(event, { minLength: 1, maxLength: 4 })),
  shutdownTimeoutMs: mostly(15, 60_000, fc.constantFrom(0, 30)),
});

/** Any program. */
export const anyProgram: fc.Arbitrary<Program> = fc.record({
  apps: mostly(3, 1, fc.constant(2)),
  sources: fc.array(source, { minLength: 1, maxLength: 3 }),
  sinks: fc.array(sink, { minLength: 1, maxLength: 4 }),
  letters: sink.map((spec): SinkSpec => ({ ...spec, kind: spec.kind === "groups" ? "groups" : "values" })),
  handlers: fc.array(handler, { minLength: 1, maxLength: 4 }),
  runs: fc.array(run, { minLength: 1, maxLength: 3 }),
  turns: fc.constantFrom(3, 17, 1_000_000),
});
