/**
 * Programs as short text: parts that have their default are left out.
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

/** A program without the parts that have their default. */
export interface CompactProgram {
  readonly apps?: number;
  readonly sources?: readonly Partial<SourceSpec>[];
  readonly sinks?: readonly Partial<SinkSpec>[];
  readonly letters?: Partial<SinkSpec>;
  readonly handlers?: readonly Partial<HandlerSpec>[];
  readonly runs?: readonly Partial<RunSpec>[];
  readonly turns?: number;
}

/** Adds the defaults to a compact program. */
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

/** Removes the parts of a program that have their default. */
export function compact(program: Program): CompactProgram {
  const withoutDefaults = <T extends object>(defaults: T) => (spec: T): Partial<T> =>
    Object.fromEntries(
      Object.entries(spec).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(defaults[key as keyof T])),
    ) as Partial<T>;
  const unlessEmpty = <T extends object>(name: string, value: T) => {
    const text = JSON.stringify(value);
    return text === "[{}]" || text === "{}" ? {} : { [name]: value };
  };
  return {
    ...(program.apps === 1 ? {} : { apps: program.apps }),
    ...unlessEmpty("sources", program.sources.map(withoutDefaults(SOURCE))),
    ...unlessEmpty("sinks", program.sinks.map(withoutDefaults(SINK))),
    ...unlessEmpty("letters", withoutDefaults(SINK)(program.letters)),
    ...unlessEmpty("handlers", program.handlers.map(withoutDefaults(HANDLER))),
    ...unlessEmpty("runs", program.runs.map(withoutDefaults(RUN))),
    ...(program.turns === 3 ? {} : { turns: program.turns }),
  };
}

/** A compact program as text, which `expand` takes after `JSON.parse()`. */
export function printed(program: Program): string {
  return Object.entries(compact(program)).map(([name, value]) =>
    Array.isArray(value)
      ? `  "${name}": [\n${value.map((one) => `    ${JSON.stringify(one)}`).join(",\n")}\n  ]`
      : `  "${name}": ${JSON.stringify(value)}`
  ).join(",\n");
}
