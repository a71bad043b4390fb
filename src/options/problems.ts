/**
 * Checks of arguments and options: a check collects every problem, and one error lists them all.
 *
 * @module
 */

import { closestName, isMisspelled } from "./closest_name.ts";

/** Returns one problem for each option that is not known. It suggests the closest known name, or lists all of them. */
export function unknownOptions(options: object, known: readonly string[]): string[] {
  return Object.keys(options).filter((name) => !known.includes(name)).map((name) => {
    const closest = closestName(name, known);
    const remedy = isMisspelled(name, closest)
      ? `did you mean ${JSON.stringify(closest)}?`
      : `the options are ${known.join(", ")}`;
    return `there is no option ${JSON.stringify(name)}: ${remedy}`;
  });
}

/**
 * Throws one error that lists all problems; does nothing if there are none.
 *
 * @param where the call with the problems, such as `"stream()"`
 * @throws {TypeError} If there is a problem.
 */
export function assertNoProblems(where: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new TypeError(
    problems.length === 1
      ? `${where}: ${problems[0]}`
      : `${where}: ${problems.length} problems\n  - ${problems.join("\n  - ")}`,
  );
}
