/**
 * Mutants: faults that are put into the sources, and that the simulation must find.
 *
 * @module
 */

/** A text of a file, and its replacement. */
export interface Patch {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A fault: the patches that make it. */
export interface Mutant {
  readonly name: string;
  /** Which programs search for it: those over model sources and sinks, or those over Topics and Caches. */
  readonly programs: "stream" | "topicCache";
  readonly patches: readonly Patch[];
}

const STREAM = "src/stream";

function mutant(name: string, ...patches: readonly (readonly [file: string, from: string, to: string])[]): Mutant {
  return { name, programs: "stream", patches: patches.map(([file, from, to]) => ({ file, from, to })) };
}

function topicCacheMutant(...parameters: Parameters<typeof mutant>): Mutant {
  return { ...mutant(...parameters), programs: "topicCache" };
}

/** All mutants. */
export const MUTANTS: readonly Mutant[] = [
  mutant(
    "one account for all deliveries of a writer, and the first settle() takes its failure",
    [
      "src/protocol/settlement.ts",
      "if (delivery === this.#lastDelivery) return this.#last!;",
      "if (this.#last !== undefined) return this.#last;",
    ],
    ["src/protocol/settlement.ts", "return this.#accounts.get(delivery)?.outcome();", "return this.#last?.outcome();"],
    [
      "src/protocol/settlement.ts",
      "this.#waiting?.reject(this.#failure.error);",
      "{ this.#waiting?.reject(this.#failure.error); this.#failure = undefined; this.#waiting = undefined; }",
    ],
  ),
  mutant(
    "a failure reaches whichever delivery settles next",
    [
      "src/protocol/settlement.ts",
      "export class Settlement {",
      "let stray: { readonly error: unknown } | undefined;\nexport class Settlement {",
    ],
    ["src/protocol/settlement.ts", "this.#failure ??= failure;", "stray ??= failure;"],
    [
      "src/protocol/settlement.ts",
      "if (this.isSettled) return;",
      "if (stray !== undefined) { const { error } = stray; stray = undefined; return Promise.reject(error); }\n    if (this.isSettled) return;",
    ],
  ),
  mutant(
    "a failure is forgotten after its report, or when no settle() waits for it",
    [
      "src/protocol/settlement.ts",
      "this.#waiting?.reject(this.#failure.error);",
      "{ this.#waiting?.reject(this.#failure.error); this.#failure = undefined; this.#waiting = undefined; }",
    ],
  ),
  mutant(
    "a batch is done before its dead letters settle",
    [
      `${STREAM}/delivery.ts`,
      "if (this.#deadLetters !== undefined) this.#settle(handler.deadLetters!, this.#deadLetters, pending);",
      "",
    ],
  ),
  mutant(
    "a batch is done before its sinks settle",
    [`${STREAM}/delivery.ts`, "for (const writer of handler.writers) this.#settle(writer, this, pending);", ""],
  ),
  mutant(
    "closing one writer drops what others have accepted",
    [
      "tests/simulation/model_sink.ts",
      "const step = () => {\n      if (model.isDead) return;",
      "const step = () => {\n      if (model.isDead || queue.length === 0) return;",
    ],
    [
      "tests/simulation/model_sink.ts",
      "const queue: AcceptedValue[] = [];",
      "const queue: AcceptedValue[] = [];\n    const others = (this as unknown as { others: AcceptedValue[][] }).others ??= [];\n    others.push(queue);",
    ],
    [
      "tests/simulation/model_sink.ts",
      "if (queue.length > 0) await (drained",
      "for (const other of others) if (other !== queue) for (const one of other.splice(0)) settle(one);\n        if (queue.length > 0) await (drained",
    ],
  ),
  mutant(
    "a sink delivers the last value first",
    ["tests/simulation/model_sink.ts", "else deliver(queue.shift()!);", "else deliver(queue.pop()!);"],
  ),
  mutant(
    "a stop is not looked at while everything is synchronous",
    [
      `${STREAM}/source_loop.ts`,
      "        if (this.#stopped.fired) {\n          messages.return?.();",
      "        if (false as boolean) {\n          messages.return?.();",
    ],
  ),
  mutant(
    "messages that were not handled before a stop are done",
    [
      `${STREAM}/source_loop.ts`,
      "          messages.return?.();\n          return count;",
      "          messages.return?.();\n          return;",
    ],
  ),
  mutant(
    "the message that a stop interrupts is done",
    [`${STREAM}/source_loop.ts`, "return count - 1;", "return count;"],
  ),
  mutant(
    "messages that wait in a pool when a stop comes are done",
    [
      `${STREAM}/bound_handler.ts`,
      "      batch.markUnhandled(origin.index);\n      batch.end();",
      "      batch.end();",
    ],
  ),
  mutant(
    "the failure of a value that a pipe emits late is dropped",
    [
      `${STREAM}/handler_pipe.ts`,
      "      batch.owner.fail(error);\n      batch.end({ error });\n    });",
      "      void error;\n      batch.end();\n    });",
    ],
  ),
  mutant(
    "a pipe that is retried emits twice",
    [
      `${STREAM}/handler_pipe.ts`,
      "isRetrying ? handler.retried!(attempt, origin)",
      "isRetrying ? handler.retried!(pushOnce, origin)",
    ],
  ),
  mutant(
    "messages behind a pipe's early end are done",
    [`${STREAM}/handler_pipe.ts`, "if (stages.hasEnded && !handler.isRemoved) handler.pipeEnded();", ""],
    [`${STREAM}/handler_pipe.ts`, "if (!isPushed && owner.isStopped) throw INTERRUPTED;", ""],
  ),
  mutant(
    "the dead letter of what a pipe emits at its end has no value",
    [
      `${STREAM}/handler_pipe.ts`,
      "const origin = { message: value, index: 0,",
      "const origin = { message: undefined, index: 0,",
    ],
  ),
  mutant(
    "a second failure waits for ever",
    [
      `${STREAM}/undone_batches.ts`,
      "        this.#fail(error);\n      }\n      isFirstStored",
      '        if (this.#state === "halted") await new Promise(() => {});\n        this.#fail(error);\n      }\n      isFirstStored',
    ],
  ),
  mutant(
    "a stop does not end the wait for the next attempt",
    [`${STREAM}/retry.ts`, "const removeListener = stop.listen(abort);", "const removeListener = () => {};"],
  ),
  mutant(
    'retry.signal and "skip" make a message done',
    [
      `${STREAM}/failure_policy.ts`,
      `isFatal(cause) || cause instanceof RetryAbortedError ? "fail"`,
      `isFatal(cause) ? "fail"`,
    ],
  ),
  mutant(
    "a batch is done when it has settled, whatever is in front of it",
    [
      `${STREAM}/undone_batches.ts`,
      "if (this.#finishing === undefined && settled === undefined) {",
      "if (settled === undefined) {",
    ],
  ),
  mutant(
    "a batch is done though one in front of it failed",
    [
      `${STREAM}/undone_batches.ts`,
      'if (this.#state !== "storing") return;',
      'if (this.#state === "abandoned") return;',
    ],
  ),
  mutant(
    "messages of a partition that has moved are handled",
    [`${STREAM}/source_loop.ts`, "if (from === 0 && batch.stale?.(message)) return;", ""],
  ),
  mutant(
    "messages of a partition that moved while they waited in a pool are handled",
    [`${STREAM}/bound_handler.ts`, "if (batch.batch?.stale?.(origin.message, true)) return batch.end();", ""],
  ),
  mutant(
    "positions of a partition that has moved are stored",
    ["tests/simulation/model_source.ts", "if (stale === 0) this.stored", "this.stored"],
  ),
  mutant(
    '"skip" swallows that a sink can\'t take anything any more',
    [
      `${STREAM}/failure_policy.ts`,
      "isFatal(cause) || cause instanceof RetryAbortedError",
      "cause instanceof RetryAbortedError",
    ],
  ),
  mutant(
    "any number of batches may be not done",
    [
      `${STREAM}/undone_batches.ts`,
      "return this.#batches.length < this.#maxBatches && this.#bytes < MAX_UNDONE_BYTES;",
      "return true;",
    ],
  ),
  mutant(
    "batches that are not done may take any number of bytes",
    [`${STREAM}/undone_batches.ts`, " && this.#bytes < MAX_UNDONE_BYTES;", ";"],
  ),
  mutant(
    "an error of the policy's function is swallowed",
    [
      `${STREAM}/failure_policy.ts`,
      "return disposing?.catch((failure) => Promise.reject(wrapped(failure)));",
      "return disposing?.catch(() => {});",
    ],
    [`${STREAM}/failure_policy.ts`, "      throw wrapped(failure);", "      return;"],
  ),
  mutant(
    "a TransformStream between two handlers is closed only at the end of the run",
    [
      `${STREAM}/run_sinks.ts`,
      "if (shared !== undefined && --shared.sources === 0) closing.push(this.#close(sink, reason));",
      "if (shared !== undefined) --shared.sources;",
    ],
  ),
  mutant(
    "a stop ends the reader of a link before its writer",
    [`${STREAM}/links.ts`, `["possible", "certain"] as const`, `["certain", "possible"] as const`],
    [`${STREAM}/links.ts`, "link === kind && reaches", "reaches"],
  ),
  mutant(
    "the next value is offered before the sink has room",
    [`${STREAM}/bound_handler.ts`, "if (accepting === undefined || !waitsForRoom) return accepting;", "return;"],
  ),
  mutant(
    "a push is over when the pipe asks, though its values are being handled",
    [`${STREAM}/running_pipe.ts`, "(this.#requests.length === 0 || this.#isHandling)", "this.#requests.length === 0"],
  ),
  mutant(
    "what a pipe emits by itself overtakes what was held for a retry",
    [`${STREAM}/running_pipe.ts`, "if (this.#releasing !== undefined) await this.#releasing;", ""],
  ),
  mutant(
    "a batch is done before what a pipe had emitted by itself",
    [
      `${STREAM}/handler_pipe.ts`,
      "    batch.begin();\n    batch.owner.finish(batch);\n    return handling.then(() => batch.end(), (error) => {",
      "    return handling.then(() => batch.owner.finish(batch), (error) => {",
    ],
  ),
  mutant(
    "the first sink that fails ends the wait for the others",
    [
      `${STREAM}/delivery.ts`,
      "    try {\n      await this.#settleSinks();\n    } catch {",
      "    try {\n      await undefined;\n    } catch {",
    ],
    [
      `${STREAM}/delivery.ts`,
      "pending[0]! : allSettled(pending);",
      "pending[0]! : Promise.all(pending).then(() => {});",
    ],
  ),
  mutant(
    "a stop hides that a sink can't take anything any more",
    [`${STREAM}/retry.ts`, "if (!isRetriable(error)) throw error;", ""],
  ),
  mutant(
    "a handler that was removed gets messages",
    [`${STREAM}/bound_handler.ts`, "if (this.isRemoved) return;", ""],
  ),
  mutant(
    "a paused source is handled",
    [`${STREAM}/source_loop.ts`, "this.#resumed ??= Promise.withResolvers();", ""],
  ),
  topicCacheMutant(
    "Topic: one account for all deliveries of a writer",
    [
      "src/topic/write/delivery_settlements.ts",
      "if (delivery === this.#lastDelivery) return this.#last!;",
      "if (this.#last !== undefined) return this.#last;",
    ],
    [
      "src/topic/write/delivery_settlements.ts",
      "return this.#settlements.get(delivery)?.outcome();",
      "return this.#last?.outcome();",
    ],
  ),
  topicCacheMutant(
    "Topic: the end of one writer disconnects the others",
    ["src/topic/write/topic_writer.ts", "for (const { keepsProducer } of this.#sinks) if (keepsProducer) return;", ""],
    ["src/topic/write/topic_writer.ts", "while (producer.pending > 0) await producer.idle();", ""],
  ),
  topicCacheMutant("Topic: positions of a partition that has moved are stored", [
    "src/topic/read/offset_tracker.ts",
    "return this.#version !== version && (this.#staleSince.get(partition) ?? 0) > version;",
    "return false;",
  ]),
  topicCacheMutant("Topic: what is fetched while a partition is revoked is handed out", [
    "src/topic/read/assignment.ts",
    "dropFetched(revoked);\n      this.#revoking = undefined;",
    "this.#revoking = undefined;",
  ]),
  topicCacheMutant("Cache: the failure of a group is forgotten", [
    "src/cache/engine/group_commit.ts",
    "for (const settlement of this.#settlements) settlement.settled(failure);",
    "for (const settlement of this.#settlements) settlement.settled();",
  ]),
  topicCacheMutant("Cache: a value has settled before its commit", [
    "src/cache/engine/group_commit.ts",
    "    settlement.accepted();\n",
    "    settlement.accepted();\n    queueMicrotask(() => settlement.settled());\n    this.#settlements.delete(settlement);\n",
  ]),
];
