/**
 * The stages of pipes.
 *
 * One more stage in front of the first and one behind the last report to the model what goes in and what comes out.
 *
 * @module
 */

import type { PipeStage } from "../../src/stream/pipe.ts";
import type { HandlerState } from "./handler_state.ts";
import type { Model } from "./model.ts";
import type { StageSpec } from "./program.ts";
import { type Fault, type Message, Piped, type Value } from "./model_values.ts";

type Stage = PipeStage<unknown, unknown>;
type Origin = Message | Value;

/** The state of a pipe while its stages run. */
interface Course {
  /** The message that the pipe got last. */
  last: Origin | undefined;
  /** Whether it has asked for the next one. */
  hasAsked: boolean;
  /** Whether its input has ended. */
  isOver: boolean;
}

/** Makes the stages of a handler. `state` returns the handler's state in the present run. */
export function pipeOf(state: () => HandlerState, model: () => Model, isReused: boolean): Stage[] {
  const specs = state().wiring.spec.pipe;
  const course: Course = { last: undefined, hasAsked: false, isOver: false };
  return [
    (messages) => into(messages as AsyncIterable<Origin>, state(), model(), course),
    ...specs.map((spec) => stageOf(spec, () => state(), model, course, isReused)),
    (values) => outOf(values, state(), model(), course),
  ];
}

async function* into(messages: AsyncIterable<Origin>, state: HandlerState, model: Model, course: Course) {
  Object.assign(course, { last: undefined, isOver: false });
  const iterator = messages[Symbol.asyncIterator]();
  for (;;) {
    course.hasAsked = true;
    if (course.last !== undefined) state.pulled.get(course.last)!.through = true;
    const { done, value } = await iterator.next();
    if (done) {
      course.isOver = true;
      return;
    }
    if (model.isDead) return await new Promise<void>(() => {});
    course.hasAsked = false;
    course.last = value;
    const before = state.pulled.get(value);
    if (before === undefined) {
      state.pulled.set(value, { attempts: 1, outputs: 0, failure: undefined, through: false });
      state.count++;
    } else {
      // When the pipe has asked ahead, the failure of a message counts for the message that it gets just then.
      const isBlamed = before.failure === undefined && state.failures.length > 0;
      if (before.attempts >= state.attempts || (before.failure === undefined && !isBlamed)) {
        model.violate(`the pipe of handler ${state.wiring.index} got ${value.toJSON()} once more`);
      }
      Object.assign(before, { attempts: before.attempts + 1, outputs: 0, failure: undefined, through: false });
    }
    yield value;
  }
}

async function* outOf(values: AsyncIterable<unknown>, state: HandlerState, model: Model, course: Course) {
  for await (const value of values) {
    const last = course.last ?? value as Origin;
    yield new Piped(last, state.pulled.get(last)!.outputs++, course.hasAsked);
  }
  if (course.isOver) return;
  state.hasPipeEnded = true;
  model.remove(state);
}

/** A stage fails: for the message that it got last, or between messages. */
function failure(state: HandlerState, model: Model, course: Course): Fault {
  const fault = model.fault("stage", state.wiring.app, state);
  const pulled = course.last === undefined ? undefined : state.pulled.get(course.last);
  if (pulled === undefined || course.hasAsked) state.failures.push(fault);
  else {
    pulled.failure = fault;
    fault.isFinal = !isRenewable(state, model.program.runs.length > 1) || pulled.attempts >= state.attempts;
  }
  return fault;
}

/** Whether all stages are functions, which can be called again after an error. */
function isRenewable(state: HandlerState, isReused: boolean): boolean {
  return isReused || state.wiring.spec.pipe.every(({ kind }) => kind !== "transformInstance");
}

function stageOf(
  { kind, n }: StageSpec,
  state: () => HandlerState,
  model: () => Model,
  course: Course,
  isReused: boolean,
): Stage {
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  /** Whether a stage fails at the message: by its number, and for a number of attempts. */
  let failing: unknown, left = 0, got = 0;
  const fails = (message: unknown): boolean => {
    if (message !== failing && got++ === n) {
      failing = message;
      left = 1 + n % 3;
    }
    return message === failing && left-- > 0;
  };
  switch (kind) {
    case "map":
      return async function* (messages) {
        for await (const message of messages) {
          if (n % 2 === 1) await sleep(n);
          yield message;
        }
      };
    case "filter":
      return async function* (messages) {
        let count = 0;
        for await (const message of messages) if (count++ % 3 !== n % 3) yield message;
      };
    case "double":
      return async function* (messages) {
        for await (const message of messages) {
          yield message;
          if (n % 2 === 1) await sleep(n);
          yield message;
        }
      };
    case "hold":
      return async function* (messages) {
        let held: unknown[] = [];
        for await (const message of messages) {
          held.push(message);
          if (held.length <= n % 4) continue;
          yield* held;
          held = [];
        }
        yield* held;
      };
    case "late":
      // Values that it holds back come after a while if no message does.
      return async function* (messages) {
        const iterator = askedAhead(messages);
        let next = iterator.next(), held: unknown[] = [];
        for (;;) {
          const read = await Promise.race([next, sleep(1 + n)]);
          if (read === undefined) {
            if (held.length > 0) {
              yield* held;
              held = [];
            } else {
              const { done, value } = await next;
              if (done) return;
              held.push(value);
              next = iterator.next();
            }
            continue;
          }
          if (read.done) return yield* held;
          held.push(read.value);
          next = iterator.next();
        }
      };
    case "ahead":
      return async function* (messages) {
        const iterator = askedAhead(messages);
        for (let next = iterator.next();;) {
          const { done, value } = await next;
          if (done) return;
          next = iterator.next();
          yield value;
        }
      };
    case "early":
      return async function* (messages) {
        let count = 0;
        for await (const message of messages) {
          yield message;
          if (++count > n) return;
        }
      };
    case "throws":
      return async function* (messages) {
        for await (const message of messages) {
          yield message;
          if (fails(message)) throw failure(state(), model(), course);
          yield message;
        }
      };
    case "throwsAtEnd":
      return async function* (messages) {
        yield* messages;
        throw failure(state(), model(), course);
      };
    case "transform":
      return () => new TransformStream();
    case "transformInstance":
      return isReused ? () => new TransformStream() : new TransformStream();
    case "terminate":
      return () => {
        let count = 0;
        return new TransformStream({
          transform(message, controller) {
            controller.enqueue(message);
            if (++count > n) controller.terminate();
          },
        });
      };
    case "transformThrows":
      return () =>
        new TransformStream({
          transform(message, controller) {
            controller.enqueue(message);
            if (fails(message)) throw failure(state(), model(), course);
          },
        });
  }
}

/** Its answers are awaited in time, or not at all. */
function askedAhead(messages: AsyncIterable<unknown>): { next(): Promise<IteratorResult<unknown>> } {
  const iterator = messages[Symbol.asyncIterator]();
  return {
    next: () => {
      const answer = iterator.next();
      answer.catch(() => {});
      return answer;
    },
  };
}
