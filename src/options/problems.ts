/**
 * Checks of what a program passes as options, for all rooms: every problem is found, and one error reports them all.
 *
 * @module
 */

import { editDistance } from "./edit_distance.ts";

/** The known name that a misspelled one is most like. */
export function nearest(name: string, known: readonly string[]): string {
  const distances = known.map((candidate) => editDistance(name, candidate));
  return known[distances.indexOf(Math.min(...distances))]!;
}

/** One problem for each option that is not known, with the name that was probably meant. */
export function unknownOptions(options: object, known: readonly string[]): string[] {
  return Object.keys(options).filter((name) => !known.includes(name)).map((name) => {
    const near = nearest(name, known);
    const isLike = editDistance(name.toLowerCase(), near.toLowerCase()) <= Math.max(2, name.length / 3);
    const meant = isLike ? `did you mean ${JSON.stringify(near)}?` : `the options are ${known.join(", ")}`;
    return `there is no option ${JSON.stringify(name)}: ${meant}`;
  });
}

/**
 * Reports the problems, if there are any.
 *
 * @param where what the options were passed to, such as `"stream()"`
 * @throws {TypeError} If there is a problem; the message lists them all.
 */
export function complain(where: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new TypeError(
    problems.length === 1
      ? `${where}: ${problems[0]}`
      : `${where}: ${problems.length} problems\n  - ${problems.join("\n  - ")}`,
  );
}
