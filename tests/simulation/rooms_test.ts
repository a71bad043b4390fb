import "./virtual_time.ts";
import { reportRooms, searchRooms } from "./rooms_search.ts";
import { simulateRooms } from "./rooms_simulate.ts";
import { newSeed } from "../support/seed.ts";

Deno.test("programs at random over Topics and Caches lose nothing", async () => {
  const { ROOMS_PROGRAM: text, SIMULATION_SEED, SIMULATION_PROGRAMS } = Deno.env.toObject();
  if (text !== undefined) {
    const { violations, endings } = await simulateRooms(JSON.parse(text));
    if (violations.length > 0) throw new Error([...violations, ...endings].join("\n"));
    return;
  }
  const seed = SIMULATION_SEED === "random" ? newSeed() : Number(SIMULATION_SEED ?? 1);
  const found = await searchRooms(Number(SIMULATION_PROGRAMS ?? 400), seed, true);
  if (found.failure !== undefined) throw new Error(reportRooms(found, seed));
  console.log(
    `SIMULATION_SEED=${seed}: ${found.programs} programs, ${found.messages} messages, ${
      Math.round(found.milliseconds)
    } ms`,
  );
});
