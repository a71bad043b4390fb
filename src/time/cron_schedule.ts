/**
 * Checks of a cron's schedule that is an object. `Deno.cron` ignores a field that it does not know, and `{ hours: 3 }` would
 * run every minute.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";
import { isOptionsObject, unknownOptions } from "../options/problems.ts";

const FIELDS = ["minute", "hour", "dayOfMonth", "month", "dayOfWeek"] as const satisfies (keyof Deno.CronSchedule)[];
const EXPRESSION = ["exact", "start", "end", "every"] as const;

/**
 * What is wrong with a schedule, as far as its types tell. `Deno.cron` parses strings and checks ranges when the cron is
 * registered.
 */
export function scheduleProblems(schedule: unknown): string[] {
  if (typeof schedule === "string") return [];
  if (!isOptionsObject(schedule)) {
    return [`the schedule must be a string or an object: got ${describeValue(schedule)}`];
  }
  const problems = unknownOptions(schedule, FIELDS).map(inSchedule);
  for (const field of FIELDS) {
    problems.push(...expressionProblems(field, (schedule as Record<string, unknown>)[field]).map(inSchedule));
  }
  return problems;
}

function inSchedule(problem: string): string {
  return `schedule: ${problem}`;
}

function expressionProblems(field: string, expression: unknown): string[] {
  if (expression === undefined || typeof expression === "number") return [];
  if (!isOptionsObject(expression)) {
    return [`${field} must be a number or an object such as { every: 10 }: got ${describeValue(expression)}`];
  }
  const problems = unknownOptions(expression, EXPRESSION).map((problem) => `${field}: ${problem}`);
  for (const [name, value] of Object.entries(expression)) {
    const isList = name === "exact" && Array.isArray(value) && value.every((one) => typeof one === "number");
    if (value === undefined || typeof value === "number" || isList || !EXPRESSION.includes(name as never)) continue;
    const what = name === "exact" ? "a number or an array of numbers" : "a number";
    problems.push(`${field}: ${name} must be ${what}: got ${describeValue(value)}`);
  }
  return problems;
}
