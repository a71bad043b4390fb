/**
 * What tests of streams need: Kafka in the test's own process, sources that follow a script, a clock that goes on when
 * a test says so, and running an app until there is nothing more to do.
 *
 * @module
 */

export { FakeClock, type FakeClockOptions } from "./fake_clock.ts";
export { runUntilIdle, type RunUntilIdleOptions, type RunUntilIdleParameters, type StreamFunction } from "./idle.ts";
export { LocalBroker, type LocalBrokerOptions } from "./local_broker.ts";
export type { TopicPartition, TopicPartitionOffset } from "../kafka/port.ts";
export {
  type MemoryClientHandle,
  type MemoryFaults,
  MemoryKafka,
  type MemoryKafkaOptions,
  type MemoryRecord,
  type NewRecord,
  type RecordFate,
  type RequestKind,
  type SentRecord,
} from "./memory_kafka.ts";
export { delay, fail, scripted, type ScriptedOptions, type ScriptedSource, ScriptStep, together } from "./scripted.ts";
