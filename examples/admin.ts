// The KafkaJS admin API of the npm client: makes a topic, looks at it, and deletes it.
//
// Run:    KAFKA_BOOTSTRAP_SERVERS=localhost:9092 deno run -A examples/admin.ts
// Prints: created: true, listed: true, offsets: 0: 0 to 0, 1: 0 to 0 … deleted
import { KafkaJS } from "@slipstream/slipstream/kafka-javascript";

const servers = Deno.env.get("KAFKA_BOOTSTRAP_SERVERS");
if (servers === undefined) {
  console.error("admin.ts needs a Kafka broker: set KAFKA_BOOTSTRAP_SERVERS, such as localhost:9092");
  Deno.exit(2);
}

const { Kafka, logLevel } = KafkaJS;
const admin = new Kafka({ kafkaJS: { brokers: servers.split(","), logLevel: logLevel.ERROR } }).admin();
await admin.connect();
const topic = `admin-${crypto.randomUUID().slice(0, 8)}`;

console.log("created:", await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] }));
// A new topic is known everywhere only after a moment.
while (!(await admin.listTopics()).includes(topic)) await new Promise((resolve) => setTimeout(resolve, 50));
console.log("listed:", (await admin.listTopics()).includes(topic));
const offsets = await admin.fetchTopicOffsets(topic);
console.log("offsets:", offsets.map(({ partition, low, high }) => `${partition}: ${low} to ${high}`).join(", "));
const { groups: [group] } = await admin.describeGroups(["nobody"]);
console.log("members of nobody:", group?.members.length);
await admin.deleteGroups(["nobody"]).catch(({ groups }) => console.log("deleting nobody:", groups[0].error.type));
await admin.deleteTopics({ topics: [topic] });
console.log("deleted");
await admin.disconnect();
