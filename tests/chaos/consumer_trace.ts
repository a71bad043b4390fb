/**
 * A trace of the consumers of this process, to be printed when a partition is stalled.
 *
 * @module
 */

import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

/** The number of lines that are kept of a consumer. */
const MAX_LINES = 4000;

/** The methods whose calls are traced. */
const TRACED = [
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
type Consumer = Readonly<Record<string, Method>>;

/** What one consumer has done. */
interface Trace {
  readonly lines: string[];
  polls: number;
  polledAt: number;
  answeredAt: number;
  messages: number;
}

/** Traces every consumer of this process by the methods of the npm client, and prints the traces on SIGUSR2. */
export class ConsumerTraces implements Disposable {
  readonly #consumers = new Map<Consumer, Trace>();
  readonly #print = () => this.print();

  private constructor() {
    Deno.addSignalListener("SIGUSR2", this.#print);
  }

  static async start(): Promise<ConsumerTraces> {
    const traces = new ConsumerTraces();
    const { KafkaConsumer } = await loadKafkaJavascript();
    const prototype = KafkaConsumer.prototype as unknown as Record<string, Method>;
    for (const method of TRACED) {
      const original = prototype[method]!;
      prototype[method] = function (this: Consumer, ...args) {
        traces.#note(this, `${method} ${brief(args[0])}`);
        try {
          return original.apply(this, args);
        } catch (error) {
          traces.#note(this, `${method} failed: ${error}`);
          throw error;
        }
      };
    }
    const consume = prototype.consume!;
    prototype.consume = function (this: Consumer, max, answer) {
      const trace = traces.#of(this);
      trace.polls++;
      trace.polledAt = Date.now();
      return consume.call(this, max, (error: unknown, messages: unknown[]) => {
        trace.answeredAt = Date.now();
        trace.messages += messages?.length ?? 0;
        if (error) traces.#note(this, `consume failed: ${error}`);
        (answer as (error: unknown, messages: unknown[]) => void)(error, messages);
      });
    };
    return traces;
  }

  #of(consumer: Consumer): Trace {
    let trace = this.#consumers.get(consumer);
    if (trace === undefined) {
      this.#consumers.set(consumer, trace = { lines: [], polls: 0, polledAt: 0, answeredAt: 0, messages: 0 });
      consumer.on!("event.log", (log: unknown) => this.#note(consumer, (log as { message: string }).message));
    }
    return trace;
  }

  #note(consumer: Consumer, text: string): void {
    const { lines } = this.#of(consumer);
    lines.push(`${new Date().toISOString().slice(11, 23)} ${text}`);
    if (lines.length > 2 * MAX_LINES) lines.splice(0, MAX_LINES);
  }

  /** Prints the trace, the assignment and the positions of every consumer. Each line begins with `trace:`. */
  print(): void {
    const say = (text: string) => console.error(`trace: ${text}`);
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
          const answer = what === "position" ? consumer.position!(consumer.assignments!()) : consumer[what]!();
          say(`${what}: ${brief(answer)}`);
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

/** A value as text; partitions as `topic[0]@12`. */
function brief(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  return value.map((one) => {
    if (typeof one !== "object" || one === null || !("topic" in one)) return String(one);
    const { topic, partition, offset } = one as { topic: string; partition?: number; offset?: number };
    return `${topic}[${partition}]${offset === undefined ? "" : `@${offset}`}`;
  }).join(" ");
}
