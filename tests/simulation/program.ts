/**
 * Programs as data: what is drawn at random, shrunk and printed.
 *
 * Numbers that refer to something are taken modulo how much of it there is, so that every part can be left out by itself.
 *
 * @module
 */

/** When something goes wrong: at the so-many-th opportunity, from 0 on, and so often. */
export interface FaultSpec<K extends string = string> {
  readonly at: number;
  readonly times: number;
  readonly kind: K;
}

/** A source. */
export interface SourceSpec {
  /** On the protocol, with positions; or something that is adapted. */
  readonly kind: "batches" | "array" | "generator" | "stream";
  readonly partitions: number;
  /** How many messages each batch has; of other kinds, there are so many messages in all. */
  readonly batches: readonly number[];
  /** What a batch takes, in megabytes. */
  readonly megabytes: number;
  /** The wait before each batch. */
  readonly gapMs: number;
  /** What comes after the last batch: an end, nothing until the stop, an error, or nothing whatever happens. */
  readonly end: "end" | "open" | "fail" | "silent";
  /** Messages that can't be read the first so many times. */
  readonly unreadable: readonly FaultSpec<"codec">[];
  /** How long storing positions takes; 0 is at once. */
  readonly storeMs: number;
  /** The so-many-th batch can't be stored. */
  readonly storeFails: number | undefined;
  readonly closeFails: boolean;
}

/** How a sink on the protocol fails. */
export type SinkFault = "refuse" | "undelivered" | "commit" | "fatal" | "fatalLater" | "stuck";

/** A sink. */
export interface SinkSpec {
  /** On the protocol; something that is adapted; or a TransformStream that other handlers read. */
  readonly kind: "values" | "groups" | "function" | "asyncFunction" | "writable" | "link";
  /** How many values may be on their way before it asks to wait. */
  readonly room: number;
  /** How long a value, or a group of them, is on its way. 0 is at once. */
  readonly ms: number;
  readonly faults: readonly FaultSpec<SinkFault>[];
  readonly closeMs: number;
  readonly closeFails: boolean;
}

/** A stage of a pipe; `n` is its number, whatever that is. */
export interface StageSpec {
  readonly kind:
    | "map"
    | "filter"
    | "double"
    | "hold"
    | "late"
    | "ahead"
    | "early"
    | "throws"
    | "throwsAtEnd"
    | "transform"
    | "transformInstance"
    | "terminate"
    | "transformThrows";
  readonly n: number;
}

/** What becomes of a message that can't be handled. */
export type PolicySpec = "fail" | "skip" | "letters" | "function" | "slowFunction" | "brokenFunction";

/** A handler. */
export interface HandlerSpec {
  readonly sources: readonly number[];
  /** Whether it reads a sink that is a link rather than its sources, if there is one. */
  readonly readsLink: boolean;
  readonly sinks: readonly number[];
  readonly kind: "sync" | "async" | "generator" | "asyncGenerator";
  readonly ms: number;
  readonly emits: number;
  readonly concurrency: number;
  readonly keys: number;
  readonly pipe: readonly StageSpec[];
  readonly retry: { readonly attempts: number; readonly ms: number; readonly signal: boolean } | undefined;
  readonly onError: PolicySpec;
  readonly throws: readonly FaultSpec<"throw" | "fatal">[];
  /** Its binding is stopped in the so-many-th message. */
  readonly stopAt: number | undefined;
}

/** Something that happens to a run: after some time, or within the so-many-th message that is handled. */
export interface EventSpec {
  readonly on: "ms" | "message";
  readonly at: number;
  readonly what: "abort" | "abortRetries" | "crash" | "pause" | "resume" | "moved" | "seek" | "stopBinding";
  /** Which source or handler. */
  readonly of: number;
}

/** A run of the apps. */
export interface RunSpec {
  readonly events: readonly EventSpec[];
  readonly shutdownTimeoutMs: number;
}

/** A program. */
export interface Program {
  readonly apps: number;
  readonly sources: readonly SourceSpec[];
  readonly sinks: readonly SinkSpec[];
  readonly letters: SinkSpec;
  readonly handlers: readonly HandlerSpec[];
  readonly runs: readonly RunSpec[];
  /** After so many looks at the clock the event loop gets a turn. */
  readonly turns: number;
}

/** Which sources and sinks a handler has. */
export interface Wiring {
  readonly spec: HandlerSpec;
  readonly index: number;
  readonly app: number;
  /** By number; links come behind the sources. */
  readonly sources: readonly number[];
  readonly sinks: readonly number[];
}

/**
 * Resolves what the numbers refer to, and leaves out what makes no sense: a link that nobody reads is a function; what is
 * locked by one app is not given to the other; and no circle is made.
 */
export function wire({ apps, sources, sinks, handlers }: Program): readonly Wiring[] {
  const readers = new Map<number, number>();
  const links = [...sinks.keys()].filter((sink) => sinks[sink]!.kind === "link");
  const first = handlers.map(({ sources: from, readsLink }, index) => {
    // The first handler has to read a source.
    const link = index === 0 || !readsLink ? undefined : links[(from[0] ?? 0) % links.length];
    if (link !== undefined && !readers.has(link)) readers.set(link, index);
    return link;
  });
  const appOf = handlers.map(({ sources: from }) => ((from[0] ?? 0) % sources.length) % apps);
  // Who reads a link is in the app of who writes it.
  const writers = new Map<number, number>();
  const wirings: Wiring[] = handlers.map((spec, index) => {
    const link = first[index];
    const app = link === undefined ? appOf[index]! : appOf[writers.get(link) ?? index]!;
    if (link !== undefined) appOf[index] = app;
    const to = new Set(spec.sinks.map((sink) => sink % sinks.length));
    for (const sink of to) {
      if (sinks[sink]!.kind !== "link") continue;
      const reader = readers.get(sink);
      if (reader === undefined) continue; // a function
      const writer = writers.get(sink);
      if (reader <= index || (writer !== undefined && appOf[writer] !== app)) to.delete(sink);
      else if (writer === undefined) writers.set(sink, index);
    }
    const from = link !== undefined && writers.has(link)
      ? [sources.length + link]
      : [...new Set((spec.sources.length === 0 ? [0] : spec.sources).map((source) => source % sources.length))];
    const own = from.filter((source) => source >= sources.length || source % apps === app);
    return { spec, index, app, sources: own, sinks: [...to] };
  });
  // A WritableStream has one writer, and so one app.
  const owner = new Map<number, number>();
  return wirings.filter(({ sources }) => sources.length > 0).map((wiring) => ({
    ...wiring,
    sinks: wiring.sinks.filter((sink) => {
      if (sinks[sink]!.kind !== "writable") return true;
      if (!owner.has(sink)) owner.set(sink, wiring.app);
      return owner.get(sink) === wiring.app;
    }),
  }));
}
