/**
 * Programs as data: they are generated at random, shrunk and printed.
 *
 * A number that refers to a part is taken modulo the number of such parts, so that shrinking can remove every part by itself.
 *
 * @module
 */

/** When a fault happens: at which opportunity, from 0 on, and how many times in a row. */
export interface FaultSpec<K extends string = string> {
  readonly at: number;
  readonly times: number;
  readonly kind: K;
}

/** A source. */
export interface SourceSpec {
  /** `"batches"` implements the protocol, with positions; the stream adapts the others. */
  readonly kind: "batches" | "array" | "generator" | "stream";
  readonly partitions: number;
  /** How many messages each batch has; for other kinds, the sum is the number of messages. */
  readonly batches: readonly number[];
  /** The size of a batch, in megabytes. */
  readonly megabytes: number;
  /** The wait before each batch, in milliseconds. */
  readonly gapMs: number;
  /** What happens after the last batch: an end, nothing until the stop, an error, or nothing even after the stop. */
  readonly end: "end" | "open" | "fail" | "silent";
  /** Messages whose first attempts at reading fail. */
  readonly unreadable: readonly FaultSpec<"codec">[];
  /** How long storing positions takes, in milliseconds; 0 for a synchronous `done()`. */
  readonly storeMs: number;
  /** The number of the batch whose `done()` fails. */
  readonly storeFails: number | undefined;
  readonly closeFails: boolean;
}

/** How a sink that implements the protocol fails. */
export type SinkFault = "refuse" | "undelivered" | "commit" | "fatal" | "fatalLater" | "stuck";

/** A sink. */
export interface SinkSpec {
  /** A sink that implements the protocol; one that the stream adapts; or a link: a TransformStream that other handlers read. */
  readonly kind: "values" | "groups" | "function" | "asyncFunction" | "writable" | "link";
  /** How many accepted values may be undelivered before `accept()` returns a promise. */
  readonly room: number;
  /** How long the delivery of a value, or of a group of values, takes, in milliseconds; 0 for at once. */
  readonly ms: number;
  readonly faults: readonly FaultSpec<SinkFault>[];
  readonly closeMs: number;
  readonly closeFails: boolean;
}

/** A stage of a pipe; `n` is its parameter. */
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

/** The error policy of a handler. */
export type PolicySpec = "fail" | "skip" | "letters" | "function" | "slowFunction" | "brokenFunction";

/** A handler. */
export interface HandlerSpec {
  readonly sources: readonly number[];
  /** Whether it reads a link instead of its sources, if there is one. */
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
  /** The number of the message in which its binding is stopped. */
  readonly stopAt: number | undefined;
}

/** An event in a run: after a time, or while the message of that number is handled. */
export interface EventSpec {
  readonly on: "ms" | "message";
  readonly at: number;
  readonly what: "abort" | "abortRetries" | "crash" | "pause" | "resume" | "moved" | "seek" | "stopBinding";
  /** The source or the handler that the event concerns. */
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
  /** After how many reads of the clock the event loop gets a turn. */
  readonly turns: number;
}

/** Which sources and sinks a handler has. */
export interface Wiring {
  readonly spec: HandlerSpec;
  readonly index: number;
  readonly app: number;
  /** The sources by number; links have the numbers behind the sources. */
  readonly sources: readonly number[];
  readonly sinks: readonly number[];
}

/**
 * Resolves the numbers, and removes what can't run: a link without a reader becomes a function; a stream is used by one app
 * only; and no handlers write to each other in a circle.
 */
export function wire({ apps, sources, sinks, handlers }: Program): readonly Wiring[] {
  const readers = new Map<number, number>();
  const links = [...sinks.keys()].filter((sink) => sinks[sink]!.kind === "link");
  const first = handlers.map(({ sources: from, readsLink }, index) => {
    // The first handler reads a source.
    const link = index === 0 || !readsLink ? undefined : links[(from[0] ?? 0) % links.length];
    if (link !== undefined && !readers.has(link)) readers.set(link, index);
    return link;
  });
  const appOf = handlers.map(({ sources: from }) => ((from[0] ?? 0) % sources.length) % apps);
  // The reader of a link belongs to the app of its writer.
  const writers = new Map<number, number>();
  const wirings: Wiring[] = handlers.map((spec, index) => {
    const link = first[index];
    const app = link === undefined ? appOf[index]! : appOf[writers.get(link) ?? index]!;
    if (link !== undefined) appOf[index] = app;
    const to = new Set(spec.sinks.map((sink) => sink % sinks.length));
    for (const sink of to) {
      if (sinks[sink]!.kind !== "link") continue;
      const reader = readers.get(sink);
      if (reader === undefined) continue; // It becomes a function.
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
  // A WritableStream has one writer, so one app uses it.
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
