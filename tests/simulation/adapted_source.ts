/**
 * Sources without positions, which the stream adapts to the protocol.
 *
 * @module
 */

import type { Model } from "./model.ts";
import type { SourceSpec } from "./program.ts";
import { Message } from "./model_values.ts";

/** Makes an iterable, an async iterable or an object with a stream; each run begins with the first message. */
export function adaptedSource(spec: SourceSpec, index: number, now: () => Model): object {
  const total = spec.batches.reduce((sum, size) => sum + size, 0);
  let runs = 0;
  const begin = () => {
    const model = now();
    const state = model.openSource(index);
    const generation = runs++;
    let count = 0;
    return (): Message | undefined => {
      if (count === total || model.isDead) return undefined;
      const message = new Message(index, 0, count, generation);
      message.taken = model.tick();
      message.batch = count++;
      state.adapted.push(message);
      return message;
    };
  };
  const sleep = () => new Promise((resolve) => setTimeout(resolve, spec.gapMs));
  const failing = () => {
    const model = now();
    return model.fault("source", index % model.program.apps);
  };
  switch (spec.kind) {
    case "generator":
      return {
        async *[Symbol.asyncIterator]() {
          const next = begin();
          for (let message; (message = next()) !== undefined;) {
            if (spec.gapMs > 0) await sleep();
            yield message;
          }
          if (spec.end === "fail") throw failing();
          if (spec.end === "silent") await new Promise(() => {});
        },
      };
    case "stream":
      return {
        get readable() {
          let next: (() => Message | undefined) | undefined;
          return new ReadableStream({
            async pull(controller) {
              next ??= begin();
              if (spec.gapMs > 0) await sleep();
              const message = next();
              if (message !== undefined) return controller.enqueue(message);
              if (spec.end === "fail") throw failing();
              if (spec.end === "silent") return await new Promise(() => {});
              controller.close();
            },
          }, { highWaterMark: 0 });
        },
      };
    default:
      return {
        *[Symbol.iterator]() {
          const next = begin();
          for (let message; (message = next()) !== undefined;) yield message;
          if (spec.end === "fail") throw failing();
        },
      };
  }
}
