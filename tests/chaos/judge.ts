/**
 * Checks what came of the messages against what was sent.
 *
 * @module
 */

import type { Effect } from "./effects.ts";
import type { Ledger } from "./ledger.ts";
import { beforeInKey, type Id, idText, kindOf, parseValue, type SourceName } from "./chaos_message.ts";

/** What came of the messages of a ledger. */
export interface Outcome {
  /** The effects of each process, in the order of its log. */
  readonly effects: readonly (readonly Effect[])[];
  /** The values in the output topic, partition by partition, in order. */
  readonly output: readonly string[];
  /** The values in the Caches of all members. */
  readonly cached: readonly string[];
  /** The values of the dead letters. */
  readonly letters: readonly string[];
  /** The values in each partition of the source topics, in order. */
  readonly sources: readonly { readonly source: SourceName; readonly partition: number; readonly values: string[] }[];
  /** Whether no process was killed or frozen and the broker stayed up: then no message may be handled twice. */
  readonly gentle: boolean;
}

/** The figures of an outcome. */
export interface Counts {
  readonly messages: number;
  readonly effects: number;
  /** The number of effects of messages that had one before. */
  readonly repeats: number;
  readonly letters: number;
  /** The longest time from a message's acknowledgement to its first effect, in milliseconds. */
  readonly longestWaitMs: number;
}

/** The number of examples that are shown of one kind of fault. */
const EXAMPLES = 5;

/** The faults that were found, by kind: how many, and the first of them. */
class Faults {
  readonly #found = new Map<string, string[]>();

  add(kind: string, example: string): void {
    const examples = this.#found.get(kind) ?? [];
    this.#found.set(kind, [...examples, ""]);
    if (examples.length < EXAMPLES) this.#found.get(kind)![examples.length] = example;
  }

  texts(): string[] {
    return [...this.#found].map(([kind, examples]) =>
      `${kind}, ${examples.length} times: ${examples.slice(0, EXAMPLES).join(", ")}${
        examples.length > EXAMPLES ? ", …" : ""
      }`
    );
  }
}

/** Checks an outcome. Returns its faults in words, and its figures. */
export function judge(ledger: Ledger, outcome: Outcome): { readonly faults: string[]; readonly counts: Counts } {
  const faults = new Faults(), { seed } = ledger;
  judgeSources(ledger, outcome, faults);

  // All processes share one clock, so the first effects can be ordered by their times.
  const effects = outcome.effects.flat().sort((one, other) => one.at - other.at);
  const first = firsts(ledger, effects.map(({ value }) => value), "an effect", faults);
  inOrder(seed, first.ids, "effects", faults);
  const output = firsts(ledger, outcome.output, "a message in the output", faults);
  inOrder(seed, output.ids, "messages in the output", faults);
  const cached = firsts(ledger, outcome.cached, "an entry of a Cache", faults);
  const letters = firsts(ledger, outcome.letters, "a dead letter", faults);

  for (const id of ledger.ids()) {
    const text = idText(id);
    if (kindOf(seed, id) === "poison") {
      if (!letters.seen.has(text)) faults.add("poison without a dead letter", text);
      for (
        const [what, { seen }] of Object.entries({
          "an effect": first,
          "a message in the output": output,
          "an entry": cached,
        })
      ) {
        if (seen.has(text)) faults.add(`poison with ${what}`, text);
      }
    } else {
      if (!first.seen.has(text)) faults.add("lost: no effect", text);
      if (!output.seen.has(text)) faults.add("lost: no message in the output", text);
      if (!cached.seen.has(text)) faults.add("lost: no entry in a Cache", text);
      if (letters.seen.has(text)) faults.add("a dead letter of a good message", text);
    }
  }
  const repeats = effects.length - first.ids.length;
  if (outcome.gentle && repeats > 0) faults.add("repeated although every member ended in order", `${repeats} effects`);
  const counts = {
    messages: ledger.size,
    effects: effects.length,
    repeats,
    letters: letters.seen.size,
    longestWaitMs: longestWait(ledger, effects),
  };
  return { faults: faults.texts(), counts };
}

/** Checks that the source topics hold each acknowledged message once, in order. */
function judgeSources(ledger: Ledger, { sources }: Outcome, faults: Faults): void {
  for (const { source, partition, values } of sources) {
    const sent = ledger.next(source, partition);
    if (values.length !== sent) {
      faults.add(
        "a source has another number of messages than were sent",
        `${source}/${partition}: ${values.length} of ${sent}`,
      );
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

/** Returns the ids of values in the order of their first occurrence. A value that was never sent is a fault. */
function firsts(
  ledger: Ledger,
  values: readonly string[],
  what: string,
  faults: Faults,
): { readonly ids: readonly Id[]; readonly seen: ReadonlySet<string> } {
  const ids: Id[] = [], seen = new Set<string>();
  for (const value of values) {
    const id = parseValue(ledger.seed, value);
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

/** Checks that the first occurrences of a key's messages are in order. */
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

/** The last message before this one that has the same key and must have an effect. */
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
    const id = parseValue(ledger.seed, value), sentAt = id && ledger.sentAt(id);
    if (sentAt !== undefined) longest = Math.max(longest, at - sentAt);
  }
  return Math.round(longest);
}
