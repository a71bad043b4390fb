/**
 * Looks for a program over the real rooms that shows a fault.
 *
 * @module
 */

import { realMilliseconds } from "./virtual_time.ts";
import fc from "fast-check";
import { anyRoomsProgram, type RoomsProgram } from "./rooms_program.ts";
import { simulateRooms } from "./rooms_simulate.ts";

/** What was found. */
export interface RoomsFound {
  readonly programs: number;
  readonly messages: number;
  readonly milliseconds: number;
  readonly failure?: { readonly after: number; readonly program: RoomsProgram; readonly text: string };
}

/** Plays programs at random, until one shows a fault. */
export async function searchRooms(programs: number, seed: number, shrinks: boolean): Promise<RoomsFound> {
  const began = realMilliseconds();
  let played = 0, messages = 0;
  const property = fc.asyncProperty(anyRoomsProgram, async (program) => {
    played++;
    const { begun, violations } = await simulateRooms(program);
    messages += begun;
    if (violations.length > 0) throw new Error(violations.slice(0, 5).join("\n"));
  });
  const result = await fc.check(property, { numRuns: programs, seed, endOnFailure: !shrinks });
  const found = { programs: played, messages, milliseconds: realMilliseconds() - began };
  if (!result.failed) return found;
  const [program] = result.counterexample!, { errorInstance } = result;
  const text = errorInstance instanceof Error ? errorInstance.stack!.split("\n    at")[0]! : String(errorInstance);
  return { ...found, failure: { after: result.numRuns, program, text } };
}

/** What to tell about a program that shows a fault, and how to play it again. */
export function reportRooms({ failure, programs }: RoomsFound, seed: number): string {
  const { after, program, text } = failure!;
  return `program ${after} of SIMULATION_SEED=${seed} (${programs} with those that made it small):\n${text}\n` +
    `ROOMS_PROGRAM='${JSON.stringify(program)}'`;
}

if (import.meta.main) {
  const [programs = "10000", seed = "1", shrinks = "true"] = Deno.args;
  const found = await searchRooms(Number(programs), Number(seed), shrinks === "true");
  if (found.failure !== undefined) console.log(reportRooms(found, Number(seed)));
  const { failure, milliseconds, messages } = found;
  const perMinute = Math.round(found.programs / milliseconds * 60_000);
  console.log(
    JSON.stringify({ after: failure?.after, text: failure?.text.split("\n")[0], messages, milliseconds, perMinute }),
  );
}
