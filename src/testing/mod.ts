/**
 * Helpers for tests of streams. They need neither Docker nor a network.
 *
 * - `scripted()` makes a source that follows a script, with delays and errors.
 * - `runUntilIdle()` runs an app until its sources have nothing more, and stops it.
 * - `FakeClock` stands still until a test advances it.
 * - `MemoryKafka` is Kafka in memory: no permissions, faults on demand, and the time of a `FakeClock`.
 * - `LocalBroker` is a Kafka cluster on loopback, for librdkafka and any other client.
 *
 * @example
 * ```ts
 * import { Slipstream, Topic } from "@slipstream/slipstream";
 * import { MemoryKafka, runUntilIdle, scripted } from "@slipstream/slipstream/testing";
 *
 * using kafka = new MemoryKafka();
 * kafka.createTopic("lengths");
 * await using lengths = new Topic("lengths", { "bootstrap.servers": kafka.bootstrapServers });
 * const app = new Slipstream();
 * app.handle(scripted(["fish", "trophy"], { then: "stayOpen" }), { sink: lengths }, (word) => [word, `${word.length}`]);
 * await runUntilIdle(app);
 * const records = kafka.records({ topic: "lengths", partition: 0 });
 * console.assert(records.map(({ value }) => new TextDecoder().decode(value!)).join() === "4,6");
 * ```
 *
 * @module
 */

export { FakeClock, type FakeClockOptions } from "./fake_clock.ts";
export {
  runUntilIdle,
  type RunUntilIdleOptions,
  type RunUntilIdleParameters,
  type StreamFunction,
} from "./run_until_idle.ts";
export { LocalBroker, type LocalBrokerOptions } from "./local_broker.ts";
export type { TopicPartition, TopicPartitionOffset } from "../kafka/port.ts";
export {
  type MemoryClientHandle,
  type MemoryFaults,
  MemoryKafka,
  type MemoryKafkaOptions,
  type MemoryRecord,
  type NewRecord,
  type RecordOutcome,
  type RequestKind,
  type SentRecord,
} from "./memory_kafka.ts";
export { delay, fail, scripted, type ScriptedOptions, type ScriptedSource, ScriptStep, together } from "./scripted.ts";
