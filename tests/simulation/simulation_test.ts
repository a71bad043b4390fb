import "./virtual_time.ts";
import { expand } from "./compact_program.ts";
import { report, search } from "./search.ts";
import { simulate } from "./simulate.ts";
import { newSeed } from "../support/seed.ts";

Deno.test("programs at random keep the invariants of the protocol", async () => {
  const { SIMULATION_PROGRAM: text, SIMULATION_SEED, SIMULATION_PROGRAMS, CI } = Deno.env.toObject();
  if (text !== undefined) {
    const { violations } = await simulate(expand(JSON.parse(text)));
    if (violations.length > 0) throw new Error(violations.join("\n"));
    return;
  }
  const seed = SIMULATION_SEED === "random" ? newSeed() : Number(SIMULATION_SEED ?? 1);
  const found = await search({
    programs: Number(SIMULATION_PROGRAMS ?? (CI === undefined ? 2000 : 10_000)),
    seed,
    shrinks: true,
  });
  if (found.failure !== undefined) throw new Error(report(found, seed));
  console.log(
    `SIMULATION_SEED=${seed}: ${found.programs} programs, ${found.messages} messages, ${
      Math.round(found.milliseconds)
    } ms`,
  );
});

Deno.test("a program gives the same outcome each time", async () => {
  const program = expand({
    sources: [{ batches: [3, 40], gapMs: 3 }],
    sinks: [{ ms: 5, room: 2, faults: [{ at: 7, times: 1, kind: "undelivered" }] }],
    handlers: [{ sinks: [0], kind: "async", ms: 2, concurrency: 3, onError: "letters" }],
    runs: [{ events: [{ on: "message", at: 20, what: "crash", of: 0 }] }, {}],
  });
  const first = JSON.stringify(await simulate(program));
  for (let count = 0; count < 3; count++) {
    const next = JSON.stringify(await simulate(program));
    if (next !== first) throw new Error(`${first} and then ${next}`);
  }
});
