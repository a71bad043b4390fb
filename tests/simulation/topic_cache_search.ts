/**
 * Searches for a program over Topics and Caches that breaks the delivery guarantee.
 *
 * @module
 */

import { realMilliseconds } from "./virtual_time.ts";
import fc from "fast-check";
import { anyTopicCacheProgram, type TopicCacheProgram } from "./topic_cache_program.ts";
import { simulateTopicCache } from "./simulate_topic_cache.ts";

/** The result of a search. */
export interface TopicCacheFound {
  readonly programs: number;
  readonly messages: number;
  readonly milliseconds: number;
  readonly failure?: { readonly after: number; readonly program: TopicCacheProgram; readonly text: string };
}

/** Runs random programs until one fails. */
export async function searchTopicCache(programs: number, seed: number, shrinks: boolean): Promise<TopicCacheFound> {
  const began = realMilliseconds();
  let played = 0, messages = 0;
  const property = fc.asyncProperty(anyTopicCacheProgram, async (program) => {
    played++;
    const { begun, violations } = await simulateTopicCache(program);
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

/** Describes a failure, and how to replay it. */
export function reportTopicCache({ failure, programs }: TopicCacheFound, seed: number): string {
  const { after, program, text } = failure!;
  return `program ${after} of SIMULATION_SEED=${seed} (${programs} shrinking included):\n${text}\n` +
    `TOPIC_CACHE_PROGRAM='${JSON.stringify(program)}'`;
}

if (import.meta.main) {
  const [programs = "10000", seed = "1", shrinks = "true"] = Deno.args;
  const found = await searchTopicCache(Number(programs), Number(seed), shrinks === "true");
  if (found.failure !== undefined) console.log(reportTopicCache(found, Number(seed)));
  const { failure, milliseconds, messages } = found;
  const perMinute = Math.round(found.programs / milliseconds * 60_000);
  console.log(
    JSON.stringify({ after: failure?.after, text: failure?.text.split("\n")[0], messages, milliseconds, perMinute }),
  );
}
