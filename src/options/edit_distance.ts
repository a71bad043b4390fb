/**
 * How alike two names are.
 *
 * @module
 */

/** Levenshtein's distance: how many characters are to be inserted, deleted or replaced to make one text the other. */
export function editDistance(from: string, to: string): number {
  // distances[j]: from the part of `from` that was looked at to the first j characters of `to`.
  let distances = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const before = distances;
    distances = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = before[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      distances.push(Math.min(replaced, before[j]! + 1, distances[j - 1]! + 1));
    }
  }
  return distances[to.length]!;
}
