// Exactly once, by the transactions of the npm client: the squares of a batch and its offsets become visible
// together or not at all. The first attempt fails on purpose: nothing is lost or doubled.
//
// Run:    deno run -A examples/kafka_transactions.ts   (KAFKA_BOOTSTRAP_SERVERS names a broker; else a Kafka in this process)
// Prints: aborted: power cut, committed: 1 4 9 16 25
import { KafkaJS } from "@slipstream/slipstream/kafka-javascript";
import { LocalBroker } from "@slipstream/slipstream/testing";

const servers = Deno.env.get("KAFKA_BOOTSTRAP_SERVERS");
await using local = servers === undefined ? await LocalBroker.start() : undefined;
const kafka = new KafkaJS.Kafka({
  kafkaJS: { brokers: (servers ?? local!.bootstrapServers).split(","), logLevel: KafkaJS.logLevel.NOTHING },
});
const run = crypto.randomUUID().slice(0, 8), numbers = `numbers-${run}`, squares = `squares-${run}`;

const input = kafka.producer();
await input.connect();
await input.send({ topic: numbers, messages: [1, 2, 3, 4, 5].map((n) => ({ value: `${n}` })) });
await input.disconnect();

// One transactional.id for each instance: a second producer with it takes the place of the first.
const producer = kafka.producer({ kafkaJS: { transactionalId: `squarer-${run}` } });
const consumer = kafka.consumer({ kafkaJS: { groupId: `squarers-${run}`, fromBeginning: true, autoCommit: false } });
await producer.connect();
await consumer.connect();
await consumer.subscribe({ topic: numbers });
let tries = 0, done = 0;
await new Promise<void>((resolve) =>
  consumer.run({
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch: { topic, partition, messages }, resolveOffset }) => {
      const transaction = await producer.transaction();
      try {
        if (++tries === 1) throw new Error("power cut");
        const results = messages.map(({ value }) => ({ value: `${Number(value) ** 2}` }));
        await transaction.send({ topic: squares, messages: results });
        const last = messages.at(-1)!.offset, offset = `${BigInt(last) + 1n}`;
        await transaction.sendOffsets({ consumer, topics: [{ topic, partitions: [{ partition, offset }] }] });
        await transaction.commit();
        resolveOffset(last);
        done += messages.length;
        if (done === 5) resolve();
      } catch (error) {
        await transaction.abort();
        console.log(`aborted: ${(error as Error).message}`);
        // The consumer goes back to what was resolved last.
        throw error;
      }
    },
  })
);
await consumer.disconnect();
await producer.disconnect();

const reader = kafka.consumer({ kafkaJS: { groupId: `readers-${run}`, fromBeginning: true, readUncommitted: false } });
await reader.connect();
await reader.subscribe({ topic: squares });
const read: number[] = [];
await new Promise<void>((resolve) =>
  reader.run({
    eachMessage: ({ message }) => {
      read.push(Number(message.value));
      if (read.length === 5) resolve();
      return Promise.resolve();
    },
  })
);
await reader.disconnect();
console.log(`committed: ${read.sort((a, b) => a - b).join(" ")}`);
