/**
 * What goes through a program: messages, values of pipes, values of handlers, and faults.
 *
 * @module
 */

import type { HandlerState } from "./handler_state.ts";

/** A message of a source. When it is read again, it is another object. */
export class Message {
  readonly source: number;
  readonly partition: number;
  readonly offset: number;
  readonly topic: string;
  /** How often the partition had moved when the message was read. */
  readonly generation: number;
  /** The number of its batch, from 0 on, and its index there. */
  batch = 0;
  index = 0;
  /** The step at which the run took it from its batch; 0 for not yet. */
  taken = 0;
  /** The step at which its partition moved away; 0 for not yet. */
  stale = 0;

  constructor(source: number, partition: number, offset: number, generation: number) {
    this.source = source;
    this.partition = partition;
    this.offset = offset;
    this.topic = `source${source}`;
    this.generation = generation;
  }

  /** Its order number: messages of a partition are handled in this order. */
  get order(): number {
    return this.offset;
  }

  /** The value of its dead letter. */
  toJSON(): string {
    return `${this.topic}[${this.partition}]@${this.offset}`;
  }
}

/** A value that a pipe has emitted. */
export class Piped {
  /** The last message that the pipe had got. */
  readonly of: Message | Value;
  /** How many values of that message came before. */
  readonly n: number;
  /** Whether the pipe had asked for the next message before it emitted the value. */
  readonly isLate: boolean;

  constructor(of: Message | Value, n: number, isLate: boolean) {
    this.of = of;
    this.n = n;
    this.isLate = isLate;
  }

  toJSON(): string {
    return `${this.of.toJSON()}.${this.n}`;
  }
}

/** What a handler gets: a message, a value of its pipe, or a value from a link. */
export type Input = Message | Piped | Value;

/** The handling of one input by one handler. */
export class Item {
  readonly handler: HandlerState;
  readonly input: Input;
  /** The input; for a value of a pipe, the last message that the pipe had got. */
  readonly origin: Message | Value;
  readonly began: number;
  attempts = 0;
  /** Whether an attempt is running. */
  isRunning = false;
  state: "open" | "ok" | "failed" = "open";
  /** The last failure: of the handler, or of a sink that refused a value. */
  failure: Fault | undefined;
  /** The values of the last attempt. */
  values: Value[] = [];
  /** How many values wait for a sink or a policy. */
  waiting = 0;

  constructor(handler: HandlerState, input: Input, origin: Message | Value, began: number) {
    this.handler = handler;
    this.input = input;
    this.origin = origin;
    this.began = began;
  }
}

/** The outcome of a value in a sink. */
export interface Account {
  state: "accepted" | "delivered" | "disposed" | "refused" | "failed";
  refusals: number;
  fault: Fault | undefined;
}

/** A value that a handler has emitted. */
export class Value {
  readonly item: Item;
  readonly index: number;
  readonly attempt: number;
  /** The outcomes, by sink. */
  readonly accounts = new Map<number, Account>();
  /** The step at which a reader of a link took it; 0 for not yet. */
  taken = 0;

  constructor(item: Item, index: number) {
    this.item = item;
    this.index = index;
    this.attempt = item.attempts;
  }

  /** Its order number among the values of a handler and a partition. */
  get order(): number {
    const { input, origin } = this.item;
    return orderOf(input, origin) * 4 + this.index;
  }

  toJSON(): string {
    return `${this.item.input.toJSON()}>${this.item.handler.wiring.index}.${this.index}`;
  }
}

/** The order number of an input of a handler. (A pipe makes less than 2,000 values of a message.) */
export function orderOf(input: Input, origin: Message | Value): number {
  return origin.order * 2000 + (input instanceof Piped ? input.n : 0);
}

/** The message of a source that a value comes from, through all links. */
export function rootOf(origin: Message | Value): Message | undefined {
  let at: Message | Value = origin;
  while (at instanceof Value) at = at.item.origin;
  return at;
}

/** Where a failure happened. */
export type FaultKind =
  | "throw"
  | "codec"
  | "stage"
  | "refuse"
  | "undelivered"
  | "commit"
  | "policy"
  | "letter"
  | "source"
  | "store"
  | "close";

/** A fault of the program: the error that it throws, and what happened to it. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly kind: FaultKind;
  readonly ms: number;
  readonly app: number;
  /** The handler whose policy applies. */
  readonly handler: HandlerState | undefined;
  readonly fatal: boolean;
  /** Whether no attempt is left. */
  isFinal = true;
  /** Whether it concerns a value that a pipe emitted by itself: when a stop ends its attempts, the policy applies. */
  mayBeCut = false;
  /** Whether the run has received it. */
  isReported = true;
  /** Whether the function of the policy got it and returned. */
  reachedPolicy = false;
  hasReturned = false;
  /** The state of its dead letter. */
  letter: "accepted" | "delivered" | "failed" | undefined;

  constructor(id: number, kind: FaultKind, ms: number, app: number, handler?: HandlerState, fatal = false) {
    super(`fault ${id}: ${kind}`);
    this.kind = kind;
    this.ms = ms;
    this.app = app;
    this.handler = handler;
    this.fatal = fatal;
  }

  /** Whether the policy has disposed of the message. */
  get isDisposed(): boolean {
    if (this.handler === undefined || this.fatal || !(this.isFinal || this.mayBeCut)) return false;
    if (!["throw", "codec", "stage", "refuse", "undelivered"].includes(this.kind)) return false;
    switch (this.handler.wiring.spec.onError) {
      case "fail":
        return false;
      case "skip":
        return true;
      case "letters":
        return this.letter === "delivered";
      default:
        return this.hasReturned;
    }
  }
}
