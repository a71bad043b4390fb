import assert from "node:assert/strict";
import { clientFactoryFor } from "../../src/kafka/client_factories.ts";
import { MemoryKafka } from "../../src/testing/memory_kafka.ts";
import { Connection } from "../../src/kafka/connection.ts";
import { KafkaError } from "../../src/kafka/kafka_error.ts";
import { Notices } from "../../src/notices/notices.ts";

/** A producer that waits for a broker, and its connection. */
async function waiting(kafka: MemoryKafka) {
  const conf = { "bootstrap.servers": kafka.bootstrapServers };
  const connection = new Connection('Topic "t"', kafka.bootstrapServers, new Notices((text) => text));
  const client = await connection.make(clientFactoryFor(conf).producer(conf, connection));
  kafka.setDown();
  const opening = connection.open(client).then(() => assert.fail("it is connected"), (error) => error as KafkaError);
  return { client, opening, native: kafka.producers[0]! };
}

Deno.test("Connection.open() rejects with a fatal error when a broker refuses the credentials", async () => {
  using kafka = new MemoryKafka();
  const { client, opening, native } = await waiting(kafka);
  native.log(3, "[thrd:main]: SASL authentication error: Invalid username or password");
  native.reportError(-169);
  const error = await opening;
  assert(error instanceof KafkaError);
  assert.deepEqual([error.code, error.fatal, error.retriable], [-169, true, false]);
  assert.match(error.message, /^Topic "t": can't connect to memory-\d+: SASL authentication error: Invalid username/);
  assert(client.isDisconnecting);
});

Deno.test("Connection.open() waits while brokers are down, and rejects with an error that is not fatal when the client disconnects", async () => {
  using kafka = new MemoryKafka();
  const { client, opening, native } = await waiting(kafka);
  native.log(3, "[thrd:main]: Connect failed: Connection refused");
  native.reportError(-195);
  native.reportError(-187);
  await client.disconnect();
  const error = await opening;
  assert(error instanceof KafkaError && !error.fatal, `${error}`);
  assert.match(error.message, /closed before a broker at memory-\d+ had answered/);
});

Deno.test("Connection.open() rejects with a fatal error when the client can't be made", async () => {
  using kafka = new MemoryKafka();
  kafka.faults.request = () => -172;
  const conf = { "bootstrap.servers": kafka.bootstrapServers };
  const connection = new Connection('Topic "t"', kafka.bootstrapServers, new Notices((text) => text));
  const client = await clientFactoryFor(conf).producer(conf, connection);
  await assert.rejects(connection.open(client), { name: "KafkaError", code: -172, fatal: true });
});

Deno.test("Connection.make() rejects with a fatal error when librdkafka refuses the configuration", async () => {
  const connection = new Connection('Topic "t"', "localhost:1", new Notices((text) => text));
  // Right by itself, which is all that is checked before.
  const conf = { "bootstrap.servers": "localhost:1", "ssl.cipher.suites": 1, "no.such.property": true };
  await assert.rejects(
    connection.make(
      clientFactoryFor(conf).consumer({ ...conf, "group.id": "g" }, {
        ...{ onError() {}, onAssign() {}, onRevoke() {}, onCommitted() {}, onEnd() {} },
      }),
    ),
    (error) =>
      error instanceof KafkaError && error.fatal && /can't connect to localhost:1: .*no\.such/.test(error.message),
  );
});

Deno.test("KafkaError is fatal by its code or by its option, and then not retriable", () => {
  assert(new KafkaError("x", { code: -150 }).fatal);
  assert(!new KafkaError("x", { code: -195 }).fatal);
  const error = KafkaError.from("doing", { code: -195, message: "gone" }, { fatal: true });
  assert.deepEqual([error.fatal, error.retriable, error.message, error.code], [true, false, "doing: gone", -195]);
  assert.equal(KafkaError.from("later", error), error);
});
