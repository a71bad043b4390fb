/**
 * The name that a misspelled one stands for. Only this file imports `@std/text`.
 *
 * @module
 */

import * as std from "@std/text/levenshtein-distance";

// The code of @std/text as published on npm comes without types.
const { levenshteinDistance } = std as { levenshteinDistance(one: string, other: string): number };

/** The known name that is spelled most like a name. */
export function closestName(name: string, known: readonly string[]): string {
  const distances = known.map((candidate) => levenshteinDistance(name, candidate));
  return known[distances.indexOf(Math.min(...distances))]!;
}

/** Whether a name looks like another one with a slip or two: at most two edits, or one in three characters. */
export function isMisspelled(name: string, meant: string): boolean {
  return levenshteinDistance(name.toLowerCase(), meant.toLowerCase()) <= Math.max(2, name.length / 3);
}
