/**
 * The state of a handler in a run, as the model keeps it.
 *
 * @module
 */

import type { Wiring } from "./program.ts";
import type { Fault, Input, Item, Message, Value } from "./model_values.ts";

/** The outcome of a message in a pipe. */
export interface Pulled {
  attempts: number;
  /** The values that the pipe emitted since it got the message. */
  outputs: number;
  failure: Fault | undefined;
  /** Whether the pipe has asked for the next message, or has ended. */
  through: boolean;
}

/** A handler of the apps, in one run. */
export class HandlerState {
  readonly wiring: Wiring;
  readonly items = new Map<Input | string, Item>();
  /** All items of a message, or of the value of a link. */
  readonly ofOrigin = new Map<Message | Value, Item[]>();
  readonly pulled = new Map<Message | Value, Pulled>();
  /** The codec's failures, by message. */
  readonly unread = new Map<Message, Fault>();
  /** The step at which the handler was removed; 0 for not yet. */
  removed = 0;
  /** Whether it was removed because its pipe ended while there were more messages. */
  hasPipeEnded = false;
  running = 0;
  /** The running items: by source, or by key with `concurrency`. */
  readonly runningBy = new Map<unknown, number>();
  /** The order number of the last input, by partition and key. */
  readonly lastOrder = new Map<string, number>();
  /** How many messages the handler got: faults name a message by its number. */
  count = 0;
  /** The failures of its pipe between messages. */
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

  /** How many attempts a message may have. */
  get attempts(): number {
    return this.wiring.spec.retry?.attempts ?? 1;
  }
}
