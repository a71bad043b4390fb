/**
 * What goes through a program: messages, what pipes make of them, values, and what goes wrong on the way.
 *
 * @module
 */

import type { HandlerState } from "./handler_state.ts";

/** A message of a source, as it was handed out once: read again, it is another one. */
export class Message {
  readonly source: number;
  readonly partition: number;
  readonly offset: number;
  readonly topic: string;
  /** How often the partition has moved before. */
  readonly generation: number;
  /** Its batch, from 0 on, and its place in it. */
  batch = 0;
  index = 0;
  /** When the run took it out of its batch; 0 for not yet. */
  taken = 0;
  /** When its partition moved; 0 for not yet. */
  stale = 0;

  constructor(source: number, partition: number, offset: number, generation: number) {
    this.source = source;
    this.partition = partition;
    this.offset = offset;
    this.topic = `source${source}`;
    this.generation = generation;
  }

  /** Where it is in its source: messages of a partition are in this order. */
  get place(): number {
    return this.offset;
  }

  /** What a dead letter has in its value. */
  toJSON(): string {
    return `${this.topic}[${this.partition}]@${this.offset}`;
  }
}

/** What came out of a pipe. */
export class Piped {
  /** The message that the pipe had got last. */
  readonly of: Message | Value;
  /** How many had come of it before. */
  readonly n: number;
  /** Whether the pipe had asked for the next message by then. */
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

/** What a handler gets. */
export type Input = Message | Piped | Value;

/** The handling of one input by one handler. */
export class Item {
  readonly handler: HandlerState;
  readonly input: Input;
  /** The input, or what the pipe had got last. */
  readonly origin: Message | Value;
  readonly began: number;
  attempts = 0;
  /** An attempt is going on. */
  isRunning = false;
  state: "open" | "ok" | "failed" = "open";
  /** The last failure: of the handler, or of a sink that refused a value. */
  failure: Fault | undefined;
  /** What the last attempt emitted. */
  values: Value[] = [];
  /** Values that a sink, or a policy, is busy with. */
  waiting = 0;

  constructor(handler: HandlerState, input: Input, origin: Message | Value, began: number) {
    this.handler = handler;
    this.input = input;
    this.origin = origin;
    this.began = began;
  }
}

/** What became of a value in a sink. */
export interface Account {
  state: "accepted" | "delivered" | "disposed" | "refused" | "failed";
  refusals: number;
  fault: Fault | undefined;
}

/** What a handler emitted. */
export class Value {
  readonly item: Item;
  readonly index: number;
  readonly attempt: number;
  /** By sink. */
  readonly accounts = new Map<number, Account>();
  /** As a message of a link: when it was taken. */
  taken = 0;

  constructor(item: Item, index: number) {
    this.item = item;
    this.index = index;
    this.attempt = item.attempts;
  }

  /** Where it is among the values of a handler and a partition. */
  get place(): number {
    const { input, origin } = this.item;
    return placeOf(input, origin) * 4 + this.index;
  }

  toJSON(): string {
    return `${this.item.input.toJSON()}>${this.item.handler.wiring.index}.${this.index}`;
  }
}

/** Where an input is among those of a handler: a pipe makes less than 2,000 values of a message. */
export function placeOf(input: Input, origin: Message | Value): number {
  return origin.place * 2000 + (input instanceof Piped ? input.n : 0);
}

/** The message at the beginning of everything. */
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

/** What was made to fail. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly kind: FaultKind;
  readonly ms: number;
  readonly app: number;
  /** Whose policy is concerned. */
  readonly handler: HandlerState | undefined;
  readonly fatal: boolean;
  /** No attempt is left. */
  isFinal = true;
  /** It is what a pipe emitted by itself: when a stop cuts its attempts, the policy decides. */
  mayBeCut = false;
  /** Whether the run has to know of it. */
  isTold = true;
  /** The function of the policy got it, and returned. */
  wasTold = false;
  hasReturned = false;
  /** Its dead letter. */
  letter: "accepted" | "delivered" | "failed" | undefined;

  constructor(id: number, kind: FaultKind, ms: number, app: number, handler?: HandlerState, fatal = false) {
    super(`fault ${id}: ${kind}`);
    this.kind = kind;
    this.ms = ms;
    this.app = app;
    this.handler = handler;
    this.fatal = fatal;
  }

  /** Whether the policy has disposed of what failed. */
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
