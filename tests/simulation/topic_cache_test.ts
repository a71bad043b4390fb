import "./virtual_time.ts";
import { reportTopicCache, searchTopicCache } from "./topic_cache_search.ts";
import { simulateTopicCache } from "./simulate_topic_cache.ts";
import { newSeed } from "../support/seed.ts";

Deno.test("programs at random over Topics and Caches lose nothing", async () => {
  const { TOPIC_CACHE_PROGRAM: text, SIMULATION_SEED, SIMULATION_PROGRAMS } = Deno.env.toObject();
  if (text !== undefined) {
    const { violations, endings } = await simulateTopicCache(JSON.parse(text));
    if (violations.length > 0) throw new Error([...violations, ...endings].join("\n"));
    return;
  }
  const seed = SIMULATION_SEED === "random" ? newSeed() : Number(SIMULATION_SEED ?? 1);
  const found = await searchTopicCache(Number(SIMULATION_PROGRAMS ?? 400), seed, true);
  if (found.failure !== undefined) throw new Error(reportTopicCache(found, seed));
  console.log(
    `SIMULATION_SEED=${seed}: ${found.programs} programs, ${found.messages} messages, ${
      Math.round(found.milliseconds)
    } ms`,
  );
});
