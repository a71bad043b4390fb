/**
 * What the consumers of this process have and do, to be printed when nothing seems to move.
 *
 * @module
 */

import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

/** How many calls and log lines of a consumer are kept. */
const KEPT = 4000;

/** Calls that say what a consumer has. */
const WATCHED = [
  "assign",
  "incrementalAssign",
  "unassign",
  "incrementalUnassign",
  "pause",
  "resume",
  "subscribe",
  "seek",
  "disconnect",
] as const;

type Method = (...args: unknown[]) => unknown;

/** The npm client's consumer. */
type Watchable = Readonly<Record<string, Method>>;

/** One consumer's past. */
interface Past {
  readonly lines: string[];
  polls: number;
  polledAt: number;
  answeredAt: number;
  messages: number;
}

/** Watches every consumer of this process from outside, by the npm client's methods, and prints all on SIGUSR2. */
export class Witness implements Disposable {
  readonly #consumers = new Map<Watchable, Past>();
  readonly #print = () => this.print();

  private constructor() {
    Deno.addSignalListener("SIGUSR2", this.#print);
  }

  static async start(): Promise<Witness> {
    const witness = new Witness();
    const { KafkaConsumer } = await loadKafkaJavascript();
    const prototype = KafkaConsumer.prototype as unknown as Record<string, Method>;
    for (const method of WATCHED) {
      const original = prototype[method]!;
      prototype[method] = function (this: Watchable, ...args) {
        witness.#note(this, `${method} ${brief(args[0])}`);
        try {
          return original.apply(this, args);
        } catch (error) {
          witness.#note(this, `${method} failed: ${error}`);
          throw error;
        }
      };
    }
    const consume = prototype.consume!;
    prototype.consume = function (this: Watchable, max, answer) {
      const past = witness.#of(this);
      past.polls++;
      past.polledAt = Date.now();
      return consume.call(this, max, (error: unknown, messages: unknown[]) => {
        past.answeredAt = Date.now();
        past.messages += messages?.length ?? 0;
        if (error) witness.#note(this, `consume failed: ${error}`);
        (answer as (error: unknown, messages: unknown[]) => void)(error, messages);
      });
    };
    return witness;
  }

  #of(consumer: Watchable): Past {
    let past = this.#consumers.get(consumer);
    if (past === undefined) {
      this.#consumers.set(consumer, past = { lines: [], polls: 0, polledAt: 0, answeredAt: 0, messages: 0 });
      consumer.on!("event.log", (log: unknown) => this.#note(consumer, (log as { message: string }).message));
    }
    return past;
  }

  #note(consumer: Watchable, text: string): void {
    const { lines } = this.#of(consumer);
    lines.push(`${new Date().toISOString().slice(11, 23)} ${text}`);
    if (lines.length > 2 * KEPT) lines.splice(0, KEPT);
  }

  /** Prints what every consumer has, and what became of it lately. Each line begins with `witness:`. */
  print(): void {
    const say = (text: string) => console.error(`witness: ${text}`);
    for (const [consumer, { lines, polls, polledAt, answeredAt, messages }] of this.#consumers) {
      const ago = (at: number) => at === 0 ? "never" : `${Date.now() - at} ms ago`;
      say(
        `consumer: ${messages} messages in ${polls} polls, the last asked ${ago(polledAt)}, answered ${
          ago(answeredAt)
        }`,
      );
      for (const line of lines) say(line);
      for (const what of ["assignments", "position", "rebalanceProtocol", "assignmentLost"]) {
        try {
          const asked = what === "position" ? consumer.position!(consumer.assignments!()) : consumer[what]!();
          say(`${what}: ${brief(asked)}`);
        } catch (error) {
          say(`${what}: ${error}`);
        }
      }
    }
    say("end");
  }

  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGUSR2", this.#print);
  }
}

/** Partitions as `topic[0]@12`. */
function brief(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  return value.map((one) => {
    if (typeof one !== "object" || one === null || !("topic" in one)) return String(one);
    const { topic, partition, offset } = one as { topic: string; partition?: number; offset?: number };
    return `${topic}[${partition}]${offset === undefined ? "" : `@${offset}`}`;
  }).join(" ");
}
