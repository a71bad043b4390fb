/**
 * What the model knows of a handler in a run.
 *
 * @module
 */

import type { Wiring } from "./program.ts";
import type { Fault, Input, Item, Message, Value } from "./model_values.ts";

/** What became of a message in a pipe. */
export interface Pulled {
  attempts: number;
  /** What came out of the pipe since it got the message. */
  outputs: number;
  failure: Fault | undefined;
  /** The pipe has asked for the next message, or has ended. */
  through: boolean;
}

/** A handler of the apps, in one run. */
export class HandlerState {
  readonly wiring: Wiring;
  readonly items = new Map<Input | string, Item>();
  /** All items of a message, or of a link's value. */
  readonly ofOrigin = new Map<Message | Value, Item[]>();
  readonly pulled = new Map<Message | Value, Pulled>();
  /** What could not be read, by message. */
  readonly unread = new Map<Message, Fault>();
  /** When it was taken out; 0 for not yet. */
  removed = 0;
  /** It was taken out since its pipe has ended, though there were more messages. */
  hasPipeEnded = false;
  running = 0;
  /** By source without a pool, by key with one. */
  readonly runningBy = new Map<unknown, number>();
  /** The place of the last input, by partition and key. */
  readonly lastPlace = new Map<string, number>();
  /** The messages that it counted for its faults. */
  count = 0;
  /** What its pipe did by itself and failed. */
  readonly failures: Fault[] = [];

  /** Which of its sinks other handlers read. */
  readonly links: ReadonlySet<number>;

  constructor(wiring: Wiring, links: ReadonlySet<number>) {
    this.wiring = wiring;
    this.links = links;
  }

  get hasPipe(): boolean {
    return this.wiring.spec.pipe.length > 0;
  }

  get hasPool(): boolean {
    return this.wiring.spec.concurrency > 1;
  }

  /** How often something may be tried. */
  get attempts(): number {
    return this.wiring.spec.retry?.attempts ?? 1;
  }
}
