/**
 * Programs in few lines: what is as usual is left out.
 *
 * @module
 */

import type { HandlerSpec, Program, RunSpec, SinkSpec, SourceSpec } from "./program.ts";

const SOURCE: SourceSpec = {
  kind: "batches",
  partitions: 1,
  batches: [1],
  megabytes: 0,
  gapMs: 0,
  end: "end",
  unreadable: [],
  storeMs: 0,
  storeFails: undefined,
  closeFails: false,
};
const SINK: SinkSpec = { kind: "values", room: 1000, ms: 0, faults: [], closeMs: 0, closeFails: false };
const HANDLER: HandlerSpec = {
  sources: [0],
  readsLink: false,
  sinks: [],
  kind: "sync",
  ms: 0,
  emits: 1,
  concurrency: 1,
  keys: 1,
  pipe: [],
  retry: undefined,
  onError: "fail",
  throws: [],
  stopAt: undefined,
};
const RUN: RunSpec = { events: [], shutdownTimeoutMs: 60_000 };

/** A program in which everything that is as usual may be left out. */
export interface CompactProgram {
  readonly apps?: number;
  readonly sources?: readonly Partial<SourceSpec>[];
  readonly sinks?: readonly Partial<SinkSpec>[];
  readonly letters?: Partial<SinkSpec>;
  readonly handlers?: readonly Partial<HandlerSpec>[];
  readonly runs?: readonly Partial<RunSpec>[];
  readonly turns?: number;
}

/** The program that a brief one stands for. */
export function expand({ apps, sources, sinks, letters, handlers, runs, turns }: CompactProgram): Program {
  return {
    apps: apps ?? 1,
    sources: (sources ?? [{}]).map((spec) => ({ ...SOURCE, ...spec })),
    sinks: (sinks ?? [{}]).map((spec) => ({ ...SINK, ...spec })),
    letters: { ...SINK, ...letters },
    handlers: (handlers ?? [{}]).map((spec) => ({ ...HANDLER, ...spec })),
    runs: (runs ?? [{}]).map((spec) => ({ ...RUN, ...spec })),
    turns: turns ?? 3,
  };
}

/** A program without what is as usual. */
export function compact(program: Program): CompactProgram {
  const less = <T extends object>(usual: T) => (spec: T): Partial<T> =>
    Object.fromEntries(
      Object.entries(spec).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(usual[key as keyof T])),
    ) as Partial<T>;
  const some = <T extends object>(name: string, value: T) => {
    const text = JSON.stringify(value);
    return text === "[{}]" || text === "{}" ? {} : { [name]: value };
  };
  return {
    ...(program.apps === 1 ? {} : { apps: program.apps }),
    ...some("sources", program.sources.map(less(SOURCE))),
    ...some("sinks", program.sinks.map(less(SINK))),
    ...some("letters", less(SINK)(program.letters)),
    ...some("handlers", program.handlers.map(less(HANDLER))),
    ...some("runs", program.runs.map(less(RUN))),
    ...(program.turns === 3 ? {} : { turns: program.turns }),
  };
}

/** A program as text, to be read, and to be given to {@linkcode expand} again. */
export function printed(program: Program): string {
  return Object.entries(compact(program)).map(([name, value]) =>
    Array.isArray(value)
      ? `  "${name}": [\n${value.map((one) => `    ${JSON.stringify(one)}`).join(",\n")}\n  ]`
      : `  "${name}": ${JSON.stringify(value)}`
  ).join(",\n");
}
