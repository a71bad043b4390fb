/**
 * The negative controls: workers with a fault, which the judge must find.
 *
 * @module
 */

import type { Kafka } from "../../tools/kafka.ts";
import { run, type RunOptions } from "./run.ts";
import type { Behaviour } from "./worker.ts";

const FOR_MS = 4000;
const FAULTY = ["commits before the sink", "drops one in ten thousand"] as const satisfies readonly Behaviour[];

/**
 * Runs the faulty workers side by side: each in a group of one member, which is killed while it works. The broker stays up.
 *
 * @returns the workers whose fault was not found
 */
export async function missedControls(
  kafka: Kafka,
  options: Omit<RunOptions, "protocol" | "isStatic" | "behaviour" | "forMs">,
): Promise<Behaviour[]> {
  const found = await Promise.all(FAULTY.map(async (behaviour) => {
    const say = (text: string) => options.say(`control: ${text}`);
    const own = {
      behaviour,
      say,
      protocol: "range",
      isStatic: false,
      mood: "kills",
      members: 1,
      forMs: FOR_MS,
    } as const;
    const { faults, folder } = await run(kafka, { ...options, ...own });
    await Deno.remove(folder, { recursive: true });
    return faults.some((fault) => fault.startsWith("lost: no effect"));
  }));
  return FAULTY.filter((_, index) => !found[index]);
}
