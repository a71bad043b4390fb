/**
 * Which handlers write into a stream that another handler reads.
 *
 * @module
 */

import { openSink, openSource } from "./protocol.ts";
import type { Sink } from "./sinks.ts";
import type { SourceLoop } from "./source_loop.ts";
import type { Source } from "./sources.ts";

/**
 * Whether values that are written to a sink come out of a source. It is certain if they are one TransformStream, or if one
 * is a half of the other. It is possible if they are a writable and a readable stream that may belong together.
 */
export type Link = "certain" | "possible";

/**
 * Finds the loops whose handlers write to the source of each loop. Loops that write to each other in a circle are left out,
 * since none of them can wait for another to end.
 */
export function findFeeders(
  loops: ReadonlyMap<Source<unknown>, SourceLoop>,
): Map<SourceLoop, Map<SourceLoop, Link>> {
  const feeders = new Map<SourceLoop, Map<SourceLoop, Link>>();
  for (const [source, loop] of loops) {
    for (const other of loops.values()) {
      if (other === loop) continue;
      const links = other.handlers.flatMap(({ bound }) => bound.sinks).map((sink) => linkOf(sink, source));
      const link = links.includes("certain") ? "certain" : links.find((link) => link !== undefined);
      if (link === undefined) continue;
      if (!feeders.has(loop)) feeders.set(loop, new Map());
      feeders.get(loop)!.set(other, link);
    }
  }
  const reaches = (from: SourceLoop, to: SourceLoop, seen = new Set<SourceLoop>()): boolean => {
    if (seen.has(from)) return false;
    seen.add(from);
    return [...feeders.get(from)?.keys() ?? []].some((feeder) => feeder === to || reaches(feeder, to, seen));
  };
  // Possible circles are removed first: a stream from outside the program and one to the outside look like a circle with
  // everything between them.
  for (const which of ["possible", "certain"] as const) {
    const circular = [...feeders].flatMap(([loop, links]) =>
      [...links].filter(([feeder, link]) => link === which && reaches(feeder, loop)).map(([feeder]) =>
        [loop, feeder] as const
      )
    );
    for (const [loop, feeder] of circular) feeders.get(loop)!.delete(feeder);
  }
  for (const [loop, links] of feeders) if (links.size === 0) feeders.delete(loop);
  return feeders;
}

function linkOf(sink: Sink<unknown>, source: Source<unknown>): Link | undefined {
  if (typeof sink === "function" || openSink in sink || openSource in source) return undefined;
  if ((sink as unknown) === source) return "certain";
  const read = source instanceof ReadableStream ? source : (source as { readable?: unknown }).readable;
  if (!(read instanceof ReadableStream)) return undefined;
  const { readable } = sink as { readable?: unknown };
  if (readable instanceof ReadableStream) return readable === read ? "certain" : undefined;
  const { writable } = source as { writable?: unknown };
  if (writable instanceof WritableStream) return writable === sink ? "certain" : undefined;
  return "possible";
}
