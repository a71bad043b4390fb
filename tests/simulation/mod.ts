/**
 * Programs at random over the real stream room, and a model of what must be true of them: the invariants of
 * `src/stream/protocol.ts`.
 *
 * A program is data (`program.ts`, drawn by `random_program.ts`): sources, sinks, handlers, and what happens to one to three runs
 * of them, crashes included. `simulate.ts` plays it in virtual time (`virtual_time.ts`): timers fire when nothing else can go
 * on, so a run that waits for ever is seen at once. Sources, sinks, pipes and handlers (`model_*.ts`) do what the program
 * says, fail where it says so, and tell the model (`model.ts`), which looks at each step, at each batch that is done
 * (`done_check.ts`), and at the end (`end_check.ts`).
 *
 * **Replay.** A failure prints its seed and the program, made small, as JSON:
 *
 * ```sh
 * SIMULATION_SEED=42 SIMULATION_PROGRAMS=10000 deno test -A tests/simulation/simulation_test.ts
 * SIMULATION_PROGRAM='{"sources": [{"batches": [3]}], "handlers": [{"sinks": [0]}]}' deno test -A tests/simulation/simulation_test.ts
 * ```
 *
 * What is left out of a program is as usual (`compact_program.ts`). Without `SIMULATION_SEED` the seed is 1; `random` draws one. In CI 10,000 programs are
 * played, 2,000 elsewhere. Programs over Topics and Caches (`topic_cache_*.ts`) are played again with `TOPIC_CACHE_PROGRAM`.
 *
 * **The checker is checked**: `deno task test:mutants` puts faults back (`mutants.ts`), one at a time in a copy of the
 * sources, and tells how many programs it takes to find each.
 *
 * @module
 */

export { type CompactProgram, expand, printed } from "./compact_program.ts";
export { type Found, report, search, type SearchOptions } from "./search.ts";
export { type Outcome, simulate } from "./simulate.ts";
