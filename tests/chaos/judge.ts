/**
 * Says whether what was sent and what came of it fit together.
 *
 * @module
 */

import type { Effect } from "./effects.ts";
import type { Ledger } from "./ledger.ts";
import { beforeInKey, type Id, idText, kindOf, read, type SourceName } from "./message.ts";

/** What came of the messages of a ledger. */
export interface Outcome {
  /** The effects of each process, in the order of its log. */
  readonly effects: readonly (readonly Effect[])[];
  /** The values in the output topic, partition by partition, in order. */
  readonly output: readonly string[];
  /** The values in the Caches of all members. */
  readonly kept: readonly string[];
  /** The values of the dead letters. */
  readonly letters: readonly string[];
  /** The values in each partition of the source topics, as they are there. */
  readonly sources: readonly { readonly source: SourceName; readonly partition: number; readonly values: string[] }[];
  /** Whether nothing was killed, frozen or away: then nothing may be handled twice either. */
  readonly gentle: boolean;
}

/** What the judge has counted. */
export interface Counts {
  readonly messages: number;
  readonly effects: number;
  /** Effects of messages that had one before. */
  readonly repeats: number;
  readonly letters: number;
  /** The longest time from a message's acknowledgement to its first effect, in milliseconds. */
  readonly longestWaitMs: number;
}

/** What is told of one kind of fault, at most. */
const TOLD = 5;

/** Faults of one kind: the first of them, and how many there are. */
class Faults {
  readonly #found = new Map<string, string[]>();

  add(kind: string, example: string): void {
    const examples = this.#found.get(kind) ?? [];
    this.#found.set(kind, [...examples, ""]);
    if (examples.length < TOLD) this.#found.get(kind)![examples.length] = example;
  }

  told(): string[] {
    return [...this.#found].map(([kind, examples]) =>
      `${kind}, ${examples.length} times: ${examples.slice(0, TOLD).join(", ")}${examples.length > TOLD ? ", …" : ""}`
    );
  }
}

/** Judges an outcome: what is wrong with it, in words, and its figures. */
export function judge(ledger: Ledger, outcome: Outcome): { readonly faults: string[]; readonly counts: Counts } {
  const faults = new Faults(), { seed } = ledger;
  judgeSources(ledger, outcome, faults);

  // All processes are on one clock: the order of first effects over all of them is what an observer would have seen.
  const effects = outcome.effects.flat().sort((one, other) => one.at - other.at);
  const first = firsts(ledger, effects.map(({ value }) => value), "an effect", faults);
  inOrder(seed, first.ids, "effects", faults);
  const output = firsts(ledger, outcome.output, "a message in the output", faults);
  inOrder(seed, output.ids, "messages in the output", faults);
  const kept = firsts(ledger, outcome.kept, "an entry of a Cache", faults);
  const letters = firsts(ledger, outcome.letters, "a dead letter", faults);

  for (const id of ledger.ids()) {
    const text = idText(id);
    if (kindOf(seed, id) === "poison") {
      if (!letters.seen.has(text)) faults.add("poison without a dead letter", text);
      for (
        const [what, { seen }] of Object.entries({
          "an effect": first,
          "a message in the output": output,
          "an entry": kept,
        })
      ) {
        if (seen.has(text)) faults.add(`poison with ${what}`, text);
      }
    } else {
      if (!first.seen.has(text)) faults.add("lost: no effect", text);
      if (!output.seen.has(text)) faults.add("lost: no message in the output", text);
      if (!kept.seen.has(text)) faults.add("lost: no entry in a Cache", text);
      if (letters.seen.has(text)) faults.add("a dead letter of a good message", text);
    }
  }
  const repeats = effects.length - first.ids.length;
  if (outcome.gentle && repeats > 0) faults.add("repeated though every end was in order", `${repeats} effects`);
  const counts = {
    messages: ledger.size,
    effects: effects.length,
    repeats,
    letters: letters.seen.size,
    longestWaitMs: longestWait(ledger, effects),
  };
  return { faults: faults.told(), counts };
}

/** What the broker acknowledged is in the source topics: once each, and in order. */
function judgeSources(ledger: Ledger, { sources }: Outcome, faults: Faults): void {
  for (const { source, partition, values } of sources) {
    const sent = ledger.next(source, partition);
    if (values.length !== sent) {
      faults.add("a source has not what was sent", `${source}/${partition}: ${values.length} of ${sent}`);
    }
    for (const [n, value] of values.entries()) {
      const id = idText({ source, partition, n });
      if (!value.startsWith(`${id} `)) {
        faults.add("a source is out of order", `${value} in the place of ${id}`);
        break;
      }
    }
  }
}

/** The ids of values when they came first, in order; a value that was never sent is a fault. */
function firsts(
  ledger: Ledger,
  values: readonly string[],
  what: string,
  faults: Faults,
): { readonly ids: readonly Id[]; readonly seen: ReadonlySet<string> } {
  const ids: Id[] = [], seen = new Set<string>();
  for (const value of values) {
    const id = read(ledger.seed, value);
    if (id === undefined) {
      faults.add(`${what} that was never sent`, value);
      continue;
    }
    const text = idText(id);
    if (ledger.sentAt(id) === undefined) faults.add(`${what} that was never acknowledged`, text);
    if (seen.has(text)) continue;
    seen.add(text);
    ids.push(id);
  }
  return { ids, seen };
}

/** Messages of a key come first in their order. */
function inOrder(seed: number, ids: readonly Id[], what: string, faults: Faults): void {
  const seen = new Set<string>();
  for (const id of ids) {
    const before = goodBefore(seed, id);
    if (before !== undefined && !seen.has(idText(before))) {
      faults.add(`${what} out of order`, `${idText(id)} before ${idText(before)}`);
    }
    seen.add(idText(id));
  }
}

/** The message before this one in its key that has an effect. */
function goodBefore(seed: number, id: Id): Id | undefined {
  let before = beforeInKey(id);
  while (before !== undefined && kindOf(seed, before) === "poison") before = beforeInKey(before);
  return before;
}

function longestWait(ledger: Ledger, effects: readonly Effect[]): number {
  const seen = new Set<string>();
  let longest = 0;
  for (const { at, value } of effects) {
    if (seen.has(value)) continue;
    seen.add(value);
    const id = read(ledger.seed, value), sentAt = id && ledger.sentAt(id);
    if (sentAt !== undefined) longest = Math.max(longest, at - sentAt);
  }
  return Math.round(longest);
}
