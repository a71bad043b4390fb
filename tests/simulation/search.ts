/**
 * Searches for a program that breaks an invariant.
 *
 * @module
 */

import { realMilliseconds } from "./virtual_time.ts";
import fc from "fast-check";
import { printed } from "./compact_program.ts";
import type { Program } from "./program.ts";
import { anyProgram } from "./random_program.ts";
import { simulate } from "./simulate.ts";

/** The options of `search()`. */
export interface SearchOptions {
  readonly programs: number;
  readonly seed: number;
  /** Whether a program that fails is shrunk. */
  readonly shrinks: boolean;
}

/** The result of a search. */
export interface Found {
  readonly programs: number;
  /** How many times handlers were called in them. */
  readonly messages: number;
  readonly milliseconds: number;
  /** The first program that failed, how many programs it took, and the violations. */
  readonly failure?: { readonly after: number; readonly program: Program; readonly text: string };
}

class Violation extends Error {
  override readonly name = "Violation";
}

/** Runs random programs until one breaks an invariant. */
export async function search({ programs, seed, shrinks }: SearchOptions): Promise<Found> {
  const began = realMilliseconds();
  let played = 0, messages = 0;
  const property = fc.asyncProperty(anyProgram, async (program) => {
    played++;
    const outcome = await simulate(program);
    messages += outcome.begun;
    if (outcome.violations.length > 0) throw new Violation(outcome.violations.slice(0, 5).join("\n"));
  });
  const result = await fc.check(property, { numRuns: programs, seed, endOnFailure: !shrinks });
  const found = { programs: played, messages, milliseconds: realMilliseconds() - began };
  if (!result.failed) return found;
  const [program] = result.counterexample!;
  const { errorInstance } = result;
  const text = errorInstance instanceof Violation ? errorInstance.message : Deno.inspect(errorInstance);
  return { ...found, failure: { after: result.numRuns, program, text } };
}

/** Describes a failure, and how to replay it. */
export function report({ failure, programs }: Found, seed: number): string {
  const { after, program, text } = failure!;
  return `program ${after} of SIMULATION_SEED=${seed} (${programs} shrinking included):\n${text}\n` +
    `SIMULATION_PROGRAM='{\n${printed(program)}\n}'`;
}

if (import.meta.main) {
  const [programs = "10000", seed = "1", shrinks = "true"] = Deno.args;
  const found = await search({ programs: Number(programs), seed: Number(seed), shrinks: shrinks === "true" });
  if (found.failure !== undefined) console.log(report(found, Number(seed)));
  const { failure, milliseconds, messages } = found;
  const perMinute = Math.round(found.programs / milliseconds * 60_000);
  console.log(
    JSON.stringify({ after: failure?.after, text: failure?.text.split("\n")[0], messages, milliseconds, perMinute }),
  );
}
