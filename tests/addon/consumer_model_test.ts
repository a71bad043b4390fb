/** Whatever a program does with its partitions, it receives each message from the position on, once and in order. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { type Any, call } from "../support/with_consumer.ts";
import { withSlowFunctions } from "../support/with_slow_functions.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";

/** How many messages each partition has. The numbers differ, so that mixed-up partitions are noticed. */
const COUNTS = [130, 90, 140], PARTITIONS = COUNTS.length;
const TOPIC = "t";
const SLOW = [
  "rd_kafka_assign",
  "rd_kafka_assignment",
  "rd_kafka_consume_batch_queue",
  "rd_kafka_consumer_close_queue",
  "rd_kafka_incremental_assign",
  "rd_kafka_incremental_unassign",
  "rd_kafka_pause_partitions",
  "rd_kafka_queue_forward",
  "rd_kafka_queue_get_partition",
  "rd_kafka_queue_poll",
  "rd_kafka_resume_partitions",
];
/** `RD_KAFKA_RESP_ERR__STATE`: the answer to a seek in a partition that is not being fetched yet. */
const STATE = -172;

const toPartition = (partition: number, offset?: number) => ({
  topic: TOPIC,
  partition,
  ...offset !== undefined && { offset },
});

/** A consumer, and a model of what it must do. */
class Model {
  /** The next offset of each partition that is assigned. */
  readonly #next = new Map<number, number>();
  /** The expected position of each partition from which a message was received since it was assigned or sought. */
  readonly #after = new Map<number, number>();
  /** The paused partitions; a pause outlasts an assignment. */
  readonly #paused = new Set<number>();
  readonly #consumer: Any;

  constructor(consumer: Any) {
    this.#consumer = consumer;
  }

  #start(partition: number, offset: number): void {
    this.#next.set(partition, offset);
    this.#after.delete(partition);
  }

  #end(partition: number): void {
    this.#next.delete(partition);
    this.#after.delete(partition);
  }

  #assigned(partitions: readonly number[]): number[] {
    return partitions.filter((partition) => this.#next.has(partition));
  }

  assign(partitions: readonly number[], offset: number): void {
    this.#consumer.assign(partitions.map((partition) => toPartition(partition, offset)));
    for (const partition of [...this.#next.keys()]) this.#end(partition);
    for (const partition of partitions) this.#start(partition, offset);
  }

  assignMore(partitions: readonly number[], offset: number): void {
    const more = partitions.filter((partition) => !this.#next.has(partition));
    this.#consumer.incrementalAssign(more.map((partition) => toPartition(partition, offset)));
    for (const partition of more) this.#start(partition, offset);
  }

  unassignSome(partitions: readonly number[]): void {
    const some = this.#assigned(partitions);
    this.#consumer.incrementalUnassign(some.map((partition) => toPartition(partition)));
    for (const partition of some) this.#end(partition);
  }

  unassign(): void {
    this.#consumer.unassign();
    for (const partition of [...this.#next.keys()]) this.#end(partition);
  }

  pause(partitions: readonly number[]): void {
    const some = this.#assigned(partitions);
    this.#consumer.pause(some.map((partition) => toPartition(partition)));
    for (const partition of some) this.#paused.add(partition);
  }

  resume(partitions: readonly number[]): void {
    const some = this.#assigned(partitions);
    this.#consumer.resume(some.map((partition) => toPartition(partition)));
    for (const partition of some) this.#paused.delete(partition);
  }

  async seek(partition: number, offset: number): Promise<void> {
    if (!this.#next.has(partition) || this.#paused.has(partition)) return;
    const sought = call((done) => this.#consumer.seek(toPartition(partition, offset), 5000, done));
    const code = await sought.then(() => 0, (error) => error.code);
    if (code === 0) this.#start(partition, offset);
    else assert.equal(code, STATE);
  }

  async consume(max: number, timeoutMs: number): Promise<void> {
    this.#consumer.setDefaultConsumeTimeout(timeoutMs);
    const messages = await call<Any[]>((done) => this.#consumer.consume(max, done));
    assert.ok(messages.length <= max);
    for (const { partition, offset, value } of messages) {
      assert.equal(`${value}`, `${partition} ${offset}`);
      assert.ok(!this.#paused.has(partition), `${partition} is paused`);
      assert.deepEqual([partition, offset], [partition, this.#next.get(partition)]);
      this.#next.set(partition, offset + 1);
      this.#after.set(partition, offset + 1);
    }
  }

  /** Asserts that the positions follow the received messages. */
  checkPositions(): void {
    for (const partition of this.#next.keys()) {
      const [{ offset }] = this.#consumer.position([toPartition(partition)]);
      assert.equal(offset, this.#after.get(partition), `position of ${partition}`);
    }
  }

  /** Asserts that disconnecting has committed the received messages, and no others. */
  async reconnect(): Promise<void> {
    const consumer = this.#consumer;
    await call((done) => consumer.disconnect(done));
    await call((done) => consumer.connect({}, done));
    const after = [...this.#after];
    const partitions = after.map(([partition]) => toPartition(partition));
    const committed = await call<Any[]>((done) => consumer.committed(partitions, 5000, done));
    assert.deepEqual(committed.map(({ partition, offset }) => [partition, offset]), after);
    for (const partition of [...this.#next.keys()]) this.#end(partition);
    this.#paused.clear();
  }

  /** Reads every assigned partition up to its end. */
  async finish(): Promise<void> {
    this.resume([...this.#next.keys()]);
    const began = performance.now();
    while ([...this.#next].some(([partition, offset]) => offset < COUNTS[partition]!)) {
      await this.consume(100, 50);
      assert.ok(performance.now() - began < 30_000, `still missing after 30 s: ${JSON.stringify([...this.#next])}`);
    }
    this.checkPositions();
  }
}

type Step = (model: Model) => void | Promise<void>;

/** Commands for fast-check, each with a text for a failing run. */
function step<T extends unknown[]>(
  name: string,
  values: { [K in keyof T]: fc.Arbitrary<T[K]> },
  run: (model: Model, ...values: T) => void | Promise<void>,
): fc.Arbitrary<Step> {
  return fc.tuple(...values as unknown as fc.Arbitrary<unknown>[]).map((args) =>
    Object.assign((model: Model) => run(model, ...args as T), {
      [fc.toStringMethod]: () => `${name}(${args.map((value) => JSON.stringify(value)).join(", ")})`,
    })
  );
}

const partition = fc.nat({ max: PARTITIONS - 1 }), offset = fc.nat({ max: Math.min(...COUNTS) - 1 });
const partitions = fc.uniqueArray(partition, { maxLength: PARTITIONS });
const steps = fc.array(
  fc.oneof(
    step("assign", [partitions, offset], (model, some, at) => model.assign(some, at)),
    step("assignMore", [partitions, offset], (model, some, at) => model.assignMore(some, at)),
    step("unassignSome", [partitions], (model, some) => model.unassignSome(some)),
    step("unassign", [], (model) => model.unassign()),
    step("pause", [partitions], (model, some) => model.pause(some)),
    step("resume", [partitions], (model, some) => model.resume(some)),
    step("seek", [partition, offset], (model, one, at) => model.seek(one, at)),
    step("checkPositions", [], (model) => model.checkPositions()),
    step("wait", [fc.nat({ max: 60 })], (_, ms) => new Promise((resolve) => setTimeout(resolve, ms))),
    step("reconnect", [], (model) => model.reconnect()),
    {
      weight: 5,
      arbitrary: step(
        "consume",
        [fc.integer({ min: 1, max: 40 }), fc.constantFrom(0, 1, 30)],
        (model, max, ms) => model.consume(max, ms),
      ),
    },
  ),
  { minLength: 3, maxLength: 20 },
);

Deno.test("a consumer receives each message from its position on, once and in order, whatever the program does and however slow librdkafka is", async () => {
  await using broker = await LocalBroker.start();
  broker.createTopic(TOPIC, { partitions: PARTITIONS });
  const { KafkaConsumer, Producer } = await loadKafkaJavascript() as Any;
  const servers = { "bootstrap.servers": broker.bootstrapServers };
  const producer = new Producer(servers, {});
  await call((done) => producer.connect({}, done));
  for (const [partition, count] of COUNTS.entries()) {
    for (let n = 0; n < count; n++) producer.produce(TOPIC, partition, Buffer.from(`${partition} ${n}`));
  }
  await call((done) => producer.flush(5000, done));
  await call((done) => producer.disconnect(done));
  const random = new Random(SEED, "slow calls");
  const property = fc.asyncProperty(
    steps,
    fc.constantFrom(0, 0.1, 0.4),
    fc.boolean(),
    async (steps, slow, ends) => {
      const conf = {
        ...servers,
        "group.id": crypto.randomUUID(),
        "enable.partition.eof": ends,
        "fetch.wait.max.ms": 10,
      };
      const consumer = new KafkaConsumer(conf, { "auto.offset.reset": "earliest" });
      await call((done) => consumer.connect({}, done));
      try {
        await withSlowFunctions(SLOW, () => random.next() < slow ? random.next() * 15 : 0, async () => {
          const model = new Model(consumer);
          model.assign([0, 1, 2], 0);
          for (const step of steps) await step(model);
          await model.finish();
        });
      } finally {
        await call((done) => consumer.disconnect(done));
      }
    },
  );
  await fc.assert(property, { seed: SEED, numRuns: 40, endOnFailure: true });
});
