/**
 * Checks of arguments and options: a check collects every problem, and one error lists them all.
 *
 * @module
 */

import { closestName, isMisspelled } from "./closest_name.ts";
import { describeValue } from "./describe_value.ts";

/**
 * Whether a value can carry options: a plain object, or another object with fields. A Request, an AbortSignal or a Map has
 * no fields, so as options it would be accepted and ignored.
 */
export function isOptionsObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return isPlain || Object.keys(value).length > 0;
}

/**
 * Returns one problem for each option that is not known. It suggests the closest known name, or lists all of them. A value
 * that can't carry options is one problem by itself.
 */
export function unknownOptions(options: unknown, known: readonly string[]): string[] {
  if (!isOptionsObject(options)) {
    const got = describeValue(options);
    // The AbortSignal of { signal }, or the Request of { request }.
    const meant = known.find((name) => got.toLowerCase().endsWith(name.toLowerCase()));
    return [
      `the options must be an object: got ${got}${meant === undefined ? "" : `; pass it as the option { ${meant} }`}`,
    ];
  }
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
