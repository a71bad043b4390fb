import assert from "node:assert/strict";
import { judge, type Outcome } from "./judge.ts";
import { Ledger } from "./ledger.ts";
import { type Id, kindOf, SOURCES, valueOf } from "./chaos_message.ts";
import { brokerActions, memberActions, type ScheduleOptions } from "./schedule.ts";

const SEED = 11, EACH = 300;

/** A ledger of two partitions of each source, and a correct outcome with one process for each source. */
function right(): { ledger: Ledger; outcome: { -readonly [Name in keyof Outcome]: Outcome[Name] } } {
  const ledger = new Ledger(SEED);
  for (const source of SOURCES) for (const partition of [0, 1]) ledger.acknowledged(source, partition, EACH, 1000);
  const ids = [...ledger.ids()];
  const isGood = (id: Id) => kindOf(SEED, id) !== "poison";
  const values = (some: readonly Id[]) => some.map((id) => valueOf(SEED, id));
  const outcome = {
    effects: SOURCES.map((source) =>
      values(ids.filter((id) => id.source === source && isGood(id))).map((value, n) => ({ at: 2000 + n, value }))
    ),
    output: values(ids.filter(isGood)),
    cached: values(ids.filter(isGood)),
    letters: values(ids.filter((id) => !isGood(id))),
    sources: ledger.partitions().map(({ source, partition }) => ({
      source,
      partition,
      values: values(ids.filter((id) => id.source === source && id.partition === partition)),
    })),
    gentle: true,
  };
  return { ledger, outcome };
}

Deno.test("judge() finds no fault in a correct outcome, and counts it", () => {
  const { ledger, outcome } = right();
  const { faults, counts } = judge(ledger, outcome);
  assert.deepEqual(faults, []);
  assert.equal(counts.messages, 4 * EACH);
  assert.ok(counts.letters > 0, "the seed draws poison");
  assert.equal(counts.effects, counts.messages - counts.letters);
  assert.equal(counts.repeats, 0);
  assert.ok(counts.longestWaitMs >= 1000);
});

/** Functions that put one fault into an outcome, by the beginning of the text that the judge must report. */
const FAULTS: Readonly<Record<string, (outcome: ReturnType<typeof right>["outcome"]) => void>> = {
  "lost: no effect, 1": (outcome) => outcome.effects = [outcome.effects[0]!.slice(0, -1), outcome.effects[1]!],
  "lost: no message in the output, 1": (outcome) => outcome.output = outcome.output.slice(0, -1),
  "lost: no entry in a Cache, 1": (outcome) => outcome.cached = outcome.cached.slice(1),
  "poison without a dead letter, 1": (outcome) => outcome.letters = outcome.letters.slice(1),
  "a dead letter of a good message, 1": (outcome) => outcome.letters = [...outcome.letters, outcome.output[0]!],
  "poison with an effect, 1": (outcome) =>
    outcome.effects = [[...outcome.effects[0]!, { at: 9000, value: outcome.letters[0]! }], outcome.effects[1]!],
  "an effect that was never sent, 1": (outcome) =>
    outcome.effects = [[...outcome.effects[0]!, { at: 9000, value: "one/0/1 good 00000000" }], outcome.effects[1]!],
  "an effect that was never acknowledged, 1": (outcome) =>
    outcome.effects = [
      [...outcome.effects[0]!, { at: 9000, value: valueOf(SEED, { source: "one", partition: 5, n: 0 }) }],
      outcome.effects[1]!,
    ],
  "effects out of order": (outcome) => {
    const [first, ...others] = outcome.effects[0]!;
    outcome.effects = [[...others, { ...first!, at: 9000 }], outcome.effects[1]!];
  },
  "messages in the output out of order": (outcome) => outcome.output = [...outcome.output.slice(1), outcome.output[0]!],
  "repeated although every member ended in order, 1 times: 1 effects": (outcome) =>
    outcome.effects = [[...outcome.effects[0]!, { ...outcome.effects[0]![5]!, at: 9000 }], outcome.effects[1]!],
  "a source has another number of messages than were sent, 1": (outcome) =>
    outcome.sources = outcome.sources.map((one, index) => index === 3 ? { ...one, values: ["once more"] } : one),
  "a source is out of order, 1": (outcome) =>
    outcome.sources = outcome.sources.map((one, index) =>
      index === 0 ? { ...one, values: one.values.toReversed() } : one
    ),
};

for (const [text, make] of Object.entries(FAULTS)) {
  Deno.test(`judge() finds: ${text}`, () => {
    const { ledger, outcome } = right();
    make(outcome);
    const { faults } = judge(ledger, outcome);
    assert.ok(faults.some((fault) => fault.startsWith(text)), JSON.stringify(faults));
  });
}

Deno.test("schedules are the same for the same seed, and different for another one", () => {
  const options: ScheduleOptions = { seed: 5, forMs: 60_000, members: 3, everyMs: 2000, mood: "rough" };
  assert.deepEqual(memberActions("range", options), memberActions("range", options));
  assert.notDeepEqual(memberActions("range", options), memberActions("range", { ...options, seed: 6 }));
  assert.deepEqual(brokerActions(options), brokerActions(options));
  const kinds = (actions: readonly { what: string }[]) => [...new Set(actions.map(({ what }) => what))].sort();
  assert.deepEqual(kinds(memberActions("range", { ...options, forMs: 600_000 })), ["freeze", "kill", "terminate"]);
  assert.deepEqual(kinds(brokerActions({ ...options, forMs: 600_000 })), ["freeze", "kill"]);
  assert.deepEqual(kinds(memberActions("range", { ...options, mood: "gentle" })), ["terminate"]);
  assert.deepEqual(brokerActions({ ...options, mood: "gentle" }), []);
  assert.deepEqual(kinds(memberActions("range", { ...options, mood: "kills" })), ["kill"]);
});
