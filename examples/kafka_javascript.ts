// The KafkaJS API of the npm client: produce, consume, admin.
//
// Run:    deno run -A examples/kafka_javascript.ts [HOST:PORT]   (without an address: a Kafka in this process)
// Prints: the two messages and their senders, then listed: true
import { KafkaJS } from "@slipstream/slipstream/kafka-javascript";
import { LocalBroker } from "@slipstream/slipstream/testing";

await using local = Deno.args[0] === undefined ? await LocalBroker.start() : undefined;
const kafka = new KafkaJS.Kafka({
  kafkaJS: { brokers: [Deno.args[0] ?? local!.bootstrapServers], logLevel: KafkaJS.logLevel.NOTHING },
});
const topic = `emoji-${crypto.randomUUID()}`;

const producer = kafka.producer();
await producer.connect();
const reports = await producer.send({
  topic,
  messages: [
    { key: "trophy", value: "🏆", headers: { by: "examples" } },
    { key: "fish", value: "🐟" },
  ],
});
console.log("delivered:", reports.every(({ topicName, errorCode }) => topicName === topic && errorCode === 0));
await producer.disconnect();

const consumer = kafka.consumer({ kafkaJS: { groupId: topic, fromBeginning: true } });
await consumer.connect();
await consumer.subscribe({ topic });
const { promise: both, resolve } = Promise.withResolvers<void>();
let count = 0;
await consumer.run({
  // deno-lint-ignore require-await -- KafkaJS asks for a promise.
  eachMessage: async ({ message }) => {
    console.log(`${message.key} ${message.value}, by ${message.headers?.by ?? "nobody"}`);
    if (++count === 2) resolve();
  },
});
await both;
await consumer.disconnect();

const admin = kafka.admin();
await admin.connect();
console.log("listed:", (await admin.listTopics()).includes(topic));
await admin.disconnect();
