/**
 * Links: streams between handlers of one run, which one handler writes to and another reads from.
 *
 * @module
 */

import { openSink, openSource } from "../protocol/protocol.ts";
import type { Sink } from "./sinks.ts";
import type { SourceLoop } from "./source_loop.ts";
import type { Source } from "./sources.ts";

/**
 * Whether values that are written to a sink come out of a source. It is certain if they are one TransformStream, or if one
 * is a half of the other. It is possible if they are a writable and a readable stream that may belong together.
 */
export type Link = "certain" | "possible";

/** For each loop whose source other handlers of the run write to: the loops of these handlers. */
export type Links = ReadonlyMap<SourceLoop, ReadonlyMap<SourceLoop, Link>>;

/**
 * Finds the links between the loops of a run. Loops that write to each other in a circle are left out, since none of them can
 * wait for another to end.
 */
export function findLinks(loops: ReadonlyMap<Source<unknown>, SourceLoop>): Links {
  const links = new Map<SourceLoop, Map<SourceLoop, Link>>();
  for (const [source, loop] of loops) {
    for (const writing of loops.values()) {
      if (writing === loop) continue;
      const found = writing.handlers.flatMap(({ binding }) => binding.sinks).map((sink) => linkOf(sink, source));
      const link = found.includes("certain") ? "certain" : found.find((link) => link !== undefined);
      if (link === undefined) continue;
      if (!links.has(loop)) links.set(loop, new Map());
      links.get(loop)!.set(writing, link);
    }
  }
  /** Whether what one loop writes reaches another, over any number of links. */
  const reaches = (from: SourceLoop, to: SourceLoop, seen = new Set<SourceLoop>()): boolean => {
    if (seen.has(to)) return false;
    seen.add(to);
    return [...links.get(to)?.keys() ?? []].some((writing) => writing === from || reaches(from, writing, seen));
  };
  // Possible circles are removed first: a stream from outside the program and one to the outside look like a circle with
  // everything between them.
  for (const kind of ["possible", "certain"] as const) {
    const circular = [...links].flatMap(([loop, writers]) =>
      [...writers].filter(([writing, link]) => link === kind && reaches(loop, writing)).map(([writing]) =>
        [loop, writing] as const
      )
    );
    for (const [loop, writing] of circular) links.get(loop)!.delete(writing);
  }
  for (const [loop, writers] of links) if (writers.size === 0) links.delete(loop);
  return links;
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
