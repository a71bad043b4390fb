// deno-lint-ignore-file require-await -- KafkaJS wants promises of its callbacks.
/**
 * What `kafka_javascript.ts` measures: the same code for the npm client on Node and on Deno.
 *
 * @module
 */

const VALUE_BYTES = 100;
const WARM_UP = 0.2;

/** Waits until a condition holds, without keeping the event loop busy. */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function percentile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/**
 * Sends at a steady rate, and says how long each message was under way.
 *
 * @param count How many messages.
 * @param rate How many a second.
 * @param send Sends one: it carries its number.
 * @param received Registers what is called with the number of each that arrives.
 */
async function latencies(count, rate, send, received) {
  const sent = new Float64Array(count), taken = new Float64Array(count);
  let arrived = 0;
  received((index) => {
    if (taken[index] !== 0) throw new Error(`message ${index} came twice`);
    taken[index] = performance.now() - sent[index];
    arrived++;
  });
  const begun = performance.now();
  let next = 0;
  await new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      try {
        const due = Math.min(count, Math.floor((performance.now() - begun) * rate / 1000));
        for (; next < due; next++) {
          sent[next] = performance.now();
          send(next);
        }
        if (next < count) return;
        clearInterval(timer);
        resolve();
      } catch (error) {
        clearInterval(timer);
        reject(error);
      }
    }, 1);
  });
  await until(() => arrived === count);
  const sorted = taken.subarray(Math.floor(count * WARM_UP)).slice().sort();
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
}

/** A value of the usual size that carries a number. */
function numbered(index) {
  const value = Buffer.alloc(VALUE_BYTES);
  value.writeUInt32LE(index);
  return value;
}

const CONSUMER = { "auto.offset.reset": "earliest", "fetch.wait.max.ms": 10, "fetch.queue.backoff.ms": 10 };

function callbackConsumer(RdKafka, servers, group) {
  const { "auto.offset.reset": reset, ...rest } = CONSUMER;
  const consumer = new RdKafka.KafkaConsumer(
    { "bootstrap.servers": servers, "group.id": group, "enable.auto.commit": false, ...rest },
    { "auto.offset.reset": reset },
  );
  return new Promise((resolve, reject) => consumer.connect({}, (error) => error ? reject(error) : resolve(consumer)));
}

function callbackProducer(RdKafka, servers, more = {}) {
  const producer = new RdKafka.Producer({ "bootstrap.servers": servers, "linger.ms": 0, ...more });
  producer.on("event.error", () => {});
  return new Promise((resolve, reject) => producer.connect({}, (error) => error ? reject(error) : resolve(producer)));
}

const disconnect = (client) => new Promise((resolve) => client.disconnect(resolve));

/** The one message that shows that a consumer reads. */
const FIRST = 0xffffffff;
/** Headers as tracing and schemas have them. */
const HEADERS = [{ traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }, { type: "order" }, {
  schema: Buffer.alloc(16, 7),
}];
const SEND_MESSAGES = 100, SENDS_IN_FLIGHT = 100;

async function produceCallbacks({ RdKafka }, servers, topic, count, headers) {
  const producer = await callbackProducer(RdKafka, servers, { "linger.ms": 5, dr_cb: true });
  producer.setPollInBackground(true);
  let delivered = 0;
  producer.on("delivery-report", (error) => {
    if (error) throw error;
    delivered++;
  });
  const value = numbered(0), begun = performance.now();
  for (let sent = 0; sent < count;) {
    try {
      producer.produce(topic, null, value, null, null, undefined, headers);
      sent++;
      if (sent % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    } catch (error) {
      if (error.code !== RdKafka.CODES.ERRORS.ERR__QUEUE_FULL) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  await until(() => delivered === count);
  const seconds = (performance.now() - begun) / 1000;
  await disconnect(producer);
  return { rate: count / seconds };
}

async function consumeCallbacks({ RdKafka }, servers, topic, count) {
  const consumer = await callbackConsumer(RdKafka, servers, `${topic}-${Math.random()}`);
  consumer.setDefaultConsumeTimeout(100);
  consumer.subscribe([topic]);
  let read = 0, begun = 0;
  while (read < count) {
    const messages = await new Promise((resolve, reject) =>
      consumer.consume(1000, (error, messages) => error ? reject(error) : resolve(messages))
    );
    if (begun === 0 && messages.length > 0) begun = performance.now();
    read += messages.length;
  }
  const seconds = (performance.now() - begun) / 1000;
  await disconnect(consumer);
  return { rate: count / seconds };
}

const LOADS = {
  async "latency, eachMessage"({ KafkaJS }, servers, topic, count, rate) {
    const kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: [servers], logLevel: KafkaJS.logLevel.NOTHING } });
    const producer = kafka.producer({ "linger.ms": 0 }), consumer = kafka.consumer({ "group.id": topic, ...CONSUMER });
    await producer.connect();
    await consumer.connect();
    await consumer.subscribe({ topic });
    let ready = false, on = () => {};
    await consumer.run({
      eachMessage: async ({ message }) => {
        const index = message.value.readUInt32LE();
        if (index === FIRST) ready = true;
        else on(index);
      },
    });
    await producer.send({ topic, messages: [{ value: numbered(FIRST) }] });
    await until(() => ready);
    const result = await latencies(
      count,
      rate,
      (index) => void producer.send({ topic, messages: [{ value: numbered(index) }] }),
      (callback) => on = callback,
    );
    await producer.disconnect();
    await consumer.disconnect();
    return result;
  },

  async "latency, callbacks"({ RdKafka }, servers, topic, count, rate) {
    const producer = await callbackProducer(RdKafka, servers);
    const consumer = await callbackConsumer(RdKafka, servers, topic);
    let ready = false, on = () => {};
    consumer.on("data", ({ value }) => {
      const index = value.readUInt32LE();
      if (index === FIRST) ready = true;
      else on(index);
    });
    consumer.subscribe([topic]);
    consumer.consume();
    producer.produce(topic, null, numbered(FIRST));
    await until(() => ready);
    const result = await latencies(
      count,
      rate,
      (index) => producer.produce(topic, null, numbered(index)),
      (callback) => on = callback,
    );
    await disconnect(producer);
    await disconnect(consumer);
    return result;
  },

  "produce, callbacks": (kafka, servers, topic, count) => produceCallbacks(kafka, servers, topic, count),
  "produce, headers": (kafka, servers, topic, count) => produceCallbacks(kafka, servers, topic, count, HEADERS),
  "consume, callbacks": consumeCallbacks,
  "consume, headers": consumeCallbacks,

  async "produce, send"({ KafkaJS }, servers, topic, count) {
    const kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: [servers], logLevel: KafkaJS.logLevel.NOTHING } });
    const producer = kafka.producer({ "linger.ms": 5 });
    await producer.connect();
    const value = numbered(0), flying = new Set(), begun = performance.now();
    for (let sent = 0; sent < count; sent += SEND_MESSAGES) {
      const messages = Array.from({ length: SEND_MESSAGES }, () => ({ key: "key", value }));
      const sending = producer.send({ topic, messages }).then(() => flying.delete(sending));
      flying.add(sending);
      if (flying.size >= SENDS_IN_FLIGHT) await Promise.race(flying);
    }
    await Promise.all(flying);
    const seconds = (performance.now() - begun) / 1000;
    await producer.disconnect();
    return { rate: count / seconds };
  },

  async "consume, eachMessage"({ KafkaJS }, servers, topic, count) {
    const kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: [servers], logLevel: KafkaJS.logLevel.NOTHING } });
    const consumer = kafka.consumer({ "group.id": `${topic}-${Math.random()}`, ...CONSUMER });
    await consumer.connect();
    await consumer.subscribe({ topic });
    let read = 0, begun = 0;
    await consumer.run({
      eachMessage: async () => {
        if (begun === 0) begun = performance.now();
        read++;
      },
    });
    await until(() => read >= count);
    const seconds = (performance.now() - begun) / 1000;
    await consumer.disconnect();
    return { rate: count / seconds };
  },
};

/**
 * Runs one load.
 *
 * @param kafka What the npm package exports.
 * @param {string[]} args The load's name, the servers, a topic, how many messages, and how many a second where that is set.
 * @returns What was measured, and how much memory the process had at most, in bytes.
 */
export async function measure(kafka, args) {
  const [name, servers, topic, count, rate] = args;
  const load = LOADS[name];
  if (load === undefined) throw new Error(`There is no load "${name}": ${Object.keys(LOADS).join("; ")}`);
  let most = 0;
  const look = setInterval(() => most = Math.max(most, process.memoryUsage.rss()), 50);
  const result = await load(kafka, servers, topic, Number(count), Number(rate));
  clearInterval(look);
  return { ...result, rss: Math.max(most, process.memoryUsage.rss()) };
}
