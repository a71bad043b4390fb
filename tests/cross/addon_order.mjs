/** Records when an addon calls back, and in which order. Runs on Node and on Deno. */

import { Buffer } from "node:buffer";
import { connected, done } from "./addon_show.mjs";

const VALUE = Buffer.from("v");
const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

async function producing(addon, conf, t, say) {
  const order = [];
  const log = (what) => () => void order.push(what);
  const producer = await connected(addon, "Producer", conf, { event: { delivery_cb: log("report") } });
  producer.produce(t, 0, VALUE);
  for (let n = 0; n < 500 && !order.includes("report"); n++) {
    order.length = 0;
    producer.poll();
    order.push("polled");
    await turn();
  }
  say("poll", order.splice(0));
  producer.setPollInBackground(true);
  order.push("set");
  producer.produce(t, 0, VALUE);
  for (let n = 0; n < 500 && order.length < 2; n++) await turn();
  say("in the background", order.splice(0));
  producer.disconnect(log("disconnected"));
  order.push("asked");
  while (order.length < 2) await turn();
  say("disconnect", order.splice(0));
}

/** A callback that records when the promises that it resolves continue. */
function settlingInto(order) {
  const told = async () => {
    order.push("told");
    await undefined;
    order.push("settled");
    await undefined;
    order.push("again");
  };
  return () => void told().then(() => order.push("over"));
}

/** When the promises that a delivery report resolves continue, if other reports come with it. */
async function settlingReports(addon, conf, t, say) {
  const order = [], reports = 4;
  const producer = await connected(addon, "Producer", { ...conf, "linger.ms": 50 }, {
    event: { delivery_cb: settlingInto(order) },
  });
  producer.setPollInBackground(true);
  for (let n = 0; n < reports; n++) producer.produce(t, 0, VALUE);
  for (let n = 0; n < 500 && order.length < 4 * reports; n++) await turn();
  say("reports that come together", order);
  await done((callback) => producer.disconnect(callback));
}

/** When the promises that a message of a consume loop resolves continue, if other messages come with it. */
async function settlingMessages(addon, conf, t, say) {
  const order = [], messages = 6;
  const consumer = await connected(addon, "KafkaConsumer", { ...conf, "group.id": `${t} loop` });
  consumer.assign([{ topic: t, partition: 0, offset: 0 }]);
  const told = settlingInto(order);
  let count = 0;
  consumer.consumeLoop(1000, 10, (_, message) => {
    if (message === null) return;
    count++;
    told();
    // The others arrive while no callback is waiting.
    for (const end = performance.now() + 300; count === 1 && performance.now() < end;);
  });
  for (let n = 0; n < 500 && order.length < 4 * messages; n++) await turn();
  // All of them: while its loop holds a message that it has not handed out, the native addon's disconnect() never calls
  // back.
  say("messages that come together", order);
  await done((callback) => consumer.disconnect(callback));
}

async function grouped(addon, conf, t, say) {
  const order = [];
  const log = (what) => void order.push(what);
  const consumer = new addon.KafkaConsumer({ ...conf, "group.id": t }, { "auto.offset.reset": "earliest" });
  consumer.configureCallbacks(true, {
    global: {
      rebalance_cb: (code, partitions) => {
        log(`${code} ${consumer.rebalanceProtocol()}`);
        if (code === -175) consumer.assign(partitions);
        else log(`unassign ${consumer.unassign()}`);
      },
      offset_commit_cb: (code, partitions) => log(`committed ${code} ${partitions.map((one) => Object.keys(one))}`),
    },
  });
  consumer.connect(() => log("connected"));
  log("asked");
  while (order.length < 2) await turn();
  await done((callback) => consumer.getMetadata({ timeout: 10_000 }, callback));
  log(`subscribe ${consumer.subscribe([t])}`);
  // The assignment comes only when the consumer polls.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  log("later");
  for (let over = false; !over;) {
    await new Promise((resolve) =>
      consumer.consume(1000, 1, true, (_, messages) => {
        over = messages.length > 0;
        if (over) log(`consumed ${messages.length}`);
        resolve();
      })
    );
  }
  say("joining", order.splice(0));
  log(`commitSync ${consumer.commitSync({ topic: t, partition: 0, offset: 1 })}`);
  await turn();
  log("later");
  for (let n = 0; n < 50 && order.length < 3; n++) {
    await new Promise((resolve) => consumer.consume(20, 1, true, resolve));
  }
  say("commitSync", order.splice(0));
  log(`commit ${consumer.commit({ topic: t, partition: 0, offset: 1 })}`);
  while (order.length < 2) await new Promise((resolve) => consumer.consume(20, 1, true, resolve));
  say("commit", order.splice(0));
  consumer.commitCb([{ topic: t, partition: 0, offset: 1 }], (error) => log(`called back ${error}`));
  log("asked");
  while (order.length < 2) await turn();
  say("commitCb", order.splice(0));
  consumer.configureCallbacks(false, { global: { offset_commit_cb: () => {} } });
  const over = new Promise((resolve) => consumer.disconnect((error, answer) => resolve(log(`${error} ${answer}`))));
  log("asked");
  await over;
  // Whether the earlier commit is reported differs.
  say("leaving", order.splice(0).filter((what) => !what.startsWith("committed")));
  say("left", [consumer.rebalanceProtocol(), consumer.unsubscribe()]);
}

/**
 * Returns the order of calls and callbacks, by scenario.
 *
 * @param {object} addon the addon's exports
 * @param {string} servers the `bootstrap.servers` of a broker
 * @param {string} topic an unused topic with one partition
 * @returns {Promise<Record<string, string>>}
 */
export async function orderOf(addon, servers, topic) {
  const answers = {};
  const say = (name, order) => void (answers[`order: ${name}`] = order.join("; ").replaceAll(topic, "TOPIC"));
  const conf = { "bootstrap.servers": servers, "log_level": 0 };
  await producing(addon, conf, topic, say);
  await settlingReports(addon, conf, topic, say);
  await settlingMessages(addon, conf, topic, say);
  await grouped(addon, conf, topic, say);
  return answers;
}
