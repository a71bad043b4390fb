/**
 * Runs a program.
 *
 * @module
 */

import { VirtualTime } from "./virtual_time.ts";
import type { Binding } from "../../src/stream/binding.ts";
import { Slipstream } from "../../src/stream/slipstream.ts";
import { adaptedSource } from "./adapted_source.ts";
import { checkEnd } from "./end_check.ts";
import { keyOf, Model } from "./model.ts";
import { handlerOf, policyOf } from "./model_handler.ts";
import { pipeOf } from "./model_pipe.ts";
import { asFunction, asLink, asStream, ModelSink } from "./model_sink.ts";
import { ModelSource } from "./model_source.ts";
import type { EventSpec, Program, RunSpec, Wiring } from "./program.ts";
import { wire } from "./program.ts";

/** The outcome of a program. */
export interface Outcome {
  /** The violations of the invariants; none if it kept all of them. */
  readonly violations: readonly string[];
  /** How many times a handler was called. */
  readonly begun: number;
  /** How the runs ended. */
  readonly endings: readonly string[];
}

/** A stream that is made anew for each run, because a stream ends once. */
interface Holder {
  readable?: ReadableStream<unknown>;
  writable?: WritableStream<unknown>;
}

/** The apps, from their creation to a crash. */
interface Life {
  model: Model;
  readonly apps: readonly Slipstream[];
  readonly bindings: Map<number, Binding>;
  readonly holders: Map<number, Holder>;
  readonly sources: readonly object[];
  readonly retries: AbortController;
  readonly paused: Set<number>;
}

class World {
  readonly program: Program;
  readonly time = new VirtualTime();
  readonly wirings: readonly Wiring[];
  readonly sources: ModelSource[];
  readonly sinks: readonly ModelSink[];
  readonly letters: ModelSink;
  life: Life | undefined;
  model: Model;

  constructor(program: Program) {
    this.program = program;
    this.wirings = wire(program);
    this.model = new Model(program, this.wirings, this.time);
    this.sources = program.sources.map((spec, index) => new ModelSource(spec, index, this.model));
    this.sinks = program.sinks.map((spec, index) => new ModelSink(spec, index, this.model));
    this.letters = new ModelSink(program.letters, -1, this.model);
  }

  /** The app that has each stream as its sink. */
  #ownerOf(sink: number): Wiring | undefined {
    return this.wirings.find(({ sinks }) => sinks.includes(sink));
  }

  #isLink(sink: number): boolean {
    return this.wirings.some(({ sources }) => sources.includes(this.program.sources.length + sink));
  }

  /** Makes new streams for the next run. */
  #renew(holders: Map<number, Holder>): void {
    for (const [sink, holder] of holders) {
      // The handler that read it may be removed.
      const app = this.model.handlers.find(({ wiring }) => wiring.sinks.includes(sink))?.wiring.app;
      if (app === undefined) {
        Object.assign(holder, linkEnds(new TransformStream()));
        continue;
      }
      if (this.program.sinks[sink]!.kind === "link") Object.assign(holder, linkEnds(asLink(this.sinks[sink]!, app)));
      else holder.writable = asStream(this.sinks[sink]!, app);
    }
  }

  #bind(): Life {
    const { program } = this;
    const bindings = new Map<number, Binding>(), holders = new Map<number, Holder>();
    const life: { -readonly [K in keyof Life]: Life[K] } = {
      model: this.model,
      apps: Array.from({ length: program.apps }, () => new Slipstream()),
      bindings,
      holders,
      sources: [],
      retries: new AbortController(),
      paused: new Set(),
    };
    const now = () => life.model;
    life.sources = program.sources.map((spec, index) =>
      spec.kind === "batches" ? this.sources[index]! : adaptedSource(spec, index, now)
    );
    program.sinks.forEach(({ kind }, sink) => {
      if (this.#ownerOf(sink) === undefined) return;
      if (kind === "writable" || (kind === "link" && this.#isLink(sink))) holders.set(sink, {});
    });
    this.#renew(holders);
    const functions = new Map(this.sinks.map((sink) => [sink.index, asFunction(sink, now)]));
    const sinkOf = (index: number) => {
      const { kind } = program.sinks[index]!;
      return kind === "values" || kind === "groups" ? this.sinks[index]! : holders.get(index) ?? functions.get(index)!;
    };
    for (const { spec, index, app, sources, sinks } of this.wirings) {
      const state = () => life.model.handlers.find(({ wiring }) => wiring.index === index)!;
      const { retry, onError } = spec;
      const readsLink = sources[0]! >= program.sources.length;
      const binding: Binding = (life.apps[app]!.handle as (...args: unknown[]) => Binding)(
        sources.map((source) => life.sources[source] ?? holders.get(source - program.sources.length)),
        {
          name: `handler${index}`,
          sink: sinks.map(sinkOf),
          ...(spec.concurrency > 1 ? { concurrency: spec.concurrency, by: keyFor(spec.keys) } : {}),
          ...(spec.pipe.length > 0 ? { pipe: pipeOf(state, now, program.runs.length > 1) } : {}),
          ...(retry === undefined ? {} : {
            retry: {
              maxAttempts: retry.attempts,
              minTimeout: retry.ms,
              maxTimeout: Math.max(1, retry.ms),
              jitter: 0,
              ...(retry.signal ? { signal: life.retries.signal } : {}),
            },
          }),
          onError: onError === "letters" ? this.letters : onError.endsWith("unction") ? policyOf(state, now) : onError,
        },
        handlerOf(state, now, () => readsLink || this.#stopBinding(index)),
      );
      bindings.set(index, binding);
    }
    return life;
  }

  #stopBinding(index: number): void {
    const { life, model } = this;
    const handler = model.handlers.find(({ wiring }) => wiring.index === index);
    if (life === undefined || handler === undefined || handler.removed > 0) return;
    model.remove(handler);
    life.bindings.get(index)!.stop();
    life.bindings.delete(index);
    for (const source of handler.wiring.sources) {
      const state = model.sources.get(source);
      if (state === undefined || this.program.sources[source]?.kind !== "batches") continue;
      if (
        model.handlersOf(source).every(({ removed, hasPipeEnded }) => removed > 0 && !hasPipeEnded) &&
        state.stopped === 0 && !state.hasEnded
      ) {
        model.violate(`source ${source} goes on, and no handler is left`);
      }
    }
  }

  /** Runs the apps once. */
  async play(run: RunSpec): Promise<string> {
    const { program, time } = this;
    const model = this.model = new Model(
      program,
      this.life === undefined ? this.wirings : this.wirings.filter(({ index }) => this.life!.bindings.has(index)),
      time,
    );
    for (const sink of [...this.sinks, this.letters]) sink.model = model;
    for (const source of this.sources) source.restart(model);
    if (this.life === undefined) this.life = this.#bind();
    else this.#renew(this.life.holders);
    const life = this.life;
    life.model = model;
    model.paused = life.paused;
    model.mayGiveUp = run.shutdownTimeoutMs < 1000;
    const stop = new AbortController();
    const abort = () => {
      for (const app of model.apps) if (!app.isOver) app.stoppedMs ??= time.now;
      stop.abort();
    };
    let isCrashed = false;
    const happen = ({ what, of }: EventSpec) => {
      if (model.isDead) return;
      const source = of % program.sources.length;
      const state = model.sources.get(source);
      const app = life.apps[source % program.apps]!;
      const isBound = program.sources[source]!.kind === "batches" &&
        [...life.bindings.keys()].some((index) =>
          this.wirings.find((wiring) => wiring.index === index)!.sources.includes(source)
        );
      if (what === "abort") abort();
      else if (what === "abortRetries") {
        model.retriesAbortedMs ??= time.now;
        life.retries.abort();
      } else if (what === "crash") isCrashed = model.isDead = true;
      else if (what === "stopBinding") {
        const wiring = this.wirings[of % this.wirings.length]!;
        if (wiring.sources[0]! < program.sources.length) this.#stopBinding(wiring.index);
      } else if (what === "moved" || what === "seek") this.sources[source]!.move(of >> 2, what === "seek");
      else if (isBound && state !== undefined) {
        state.paused = what === "pause";
        if (state.paused) life.paused.add(source);
        else life.paused.delete(source);
        app[what](life.sources[source] as never);
      }
    };
    for (const event of run.events) if (event.on === "ms") setTimeout(() => happen(event), event.at);
    model.onMessage = (count) => {
      for (const event of run.events) if (event.on === "message" && event.at === count) happen(event);
    };
    const endings: string[] = [];
    let running = 0;
    life.apps.forEach((app, index) => {
      const bound = this.wirings.filter((wiring) => wiring.app === index && life.bindings.has(wiring.index));
      if (bound.length === 0) return;
      running++;
      model.openingApp = index;
      const { shutdownTimeoutMs } = run;
      const ended = (isRejected: boolean, error?: unknown) => {
        running--;
        if (model.isDead) return;
        endings.push(isRejected ? String(error) : "resolved");
        checkEnd(model, { app: index, isRejected, error, shutdownTimeoutMs });
      };
      app.stream({ signal: stop.signal, shutdownTimeoutMs, handleSignals: false })
        .then(() => ended(false), (error) => ended(true, error));
    });
    const isOver = () => running === 0 || isCrashed || model.violations.length > 0;
    while (!await time.passUntil(isOver)) {
      // Nothing happens by itself any more: a stop must end the run, or its time-out at the latest.
      if (stop.signal.aborted) {
        model.violate(`stream() hangs: ${model.apps.flatMap(({ isOver }, app) => isOver ? [] : [app]).join()}`);
        break;
      }
      if (!this.#mayWait(run)) {
        model.violate("stream() hangs");
        break;
      }
      abort();
    }
    // A run that was given up may go on in the background. The next one begins with new apps, and ignores it.
    if (isCrashed || model.isStuck || endings.some((ending) => ending.includes("did not end within"))) {
      model.isDead = true;
      this.life = undefined;
    }
    time.clear();
    return isCrashed ? "crashed" : endings.join("; ");
  }

  /** Whether a handler reads a link whose writers were removed in an earlier run. */
  #isUnfed({ sources }: Wiring): boolean {
    const link = sources[0]! - this.program.sources.length;
    return link >= 0 && !this.model.handlers.some(({ wiring }) => wiring.sinks.includes(link));
  }

  /** Whether the run may wait until it is stopped: for a source that does not end, or that is paused. */
  #mayWait({ events }: RunSpec): boolean {
    const waits = ({ end }: { end: string }) => end === "open" || end === "silent";
    return this.model.isStuck || this.program.sources.some(waits) || events.some(({ what }) => what === "pause") ||
      this.model.paused.size > 0 || this.model.handlers.some(({ wiring }) => this.#isUnfed(wiring));
  }
}

function linkEnds({ readable, writable }: TransformStream<unknown, unknown>): Holder {
  return { readable, writable };
}

function keyFor(keys: number): (input: never) => number {
  return (input) => keyOf(input) % keys;
}

let unhandled: ((reason: unknown) => void) | undefined;
globalThis.addEventListener("unhandledrejection", (event) => {
  if (unhandled === undefined) return;
  event.preventDefault();
  unhandled(event.reason);
});

/** Runs a program; the outcome lists its violations. */
export async function simulate(program: Program): Promise<Outcome> {
  const world = new World(program);
  world.time.install(program.turns);
  const violations: string[] = [], endings: string[] = [];
  let begun = 0;
  unhandled = (reason) => world.model.violate(`nobody handles a rejection: ${reason}`);
  try {
    for (const run of program.runs) {
      endings.push(await world.play(run));
      begun += world.model.begun;
      if (world.model.violations.length === 0) continue;
      violations.push(...world.model.violations);
      break;
    }
  } finally {
    unhandled = undefined;
    world.time.uninstall();
  }
  return { violations, begun, endings };
}
