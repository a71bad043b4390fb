/**
 * Records what an addon's methods return for good and bad arguments, with and without a connection. Runs on Node and on
 * Deno.
 *
 * The arguments of a call are named after the entries of `values`. Calls that crash the native addon are left out.
 */

import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { called, connect, returned } from "./addon_show.mjs";

const CALLBACK = Symbol("callback");
const place = { topic: "t", partition: 0 };
const values = {
  u: undefined,
  n: null,
  "0": 0,
  "1": 1,
  long: 5000,
  s: "t",
  empty: "",
  a: [],
  ones: [1],
  texts: ["t"],
  places: [place],
  offsets: [{ ...place, offset: 0 }],
  offset: { ...place, offset: 0 },
  o: {},
  b: Buffer.from("v"),
  t: true,
  f: CALLBACK,
};

const CLIENT = {
  connect: ["", "u", "1"],
  disconnect: ["", "u", "1"],
  configureCallbacks: ["", "t", "t n", "1 o", "t o", "t a"],
  getMetadata: ["", "o", "o s"],
  queryWatermarkOffsets: ["", "s", "s 0", "s 0 0", "1 0 0 f", "s s 0 f", "s 0 s f", "s 0 long f"],
  setSaslCredentials: ["", "s", "1 s", "s 1"],
  setOAuthBearerToken: ["", "s", "s s", "s 1", "s 1 1", "s 1 s s"],
  setOAuthBearerTokenFailure: ["", "1", "empty"],
};
const CALLS = {
  KafkaConsumer: {
    ...CLIENT,
    offsetsForTimes: ["", "a", "a long f", "o 0 f"],
    subscribe: ["", "s", "a", "texts", "o", "n"],
    unsubscribe: [""],
    subscription: [""],
    assign: ["", "s", "a", "places", "offsets", "o"],
    unassign: [""],
    incrementalAssign: ["", "s", "a", "places"],
    incrementalUnassign: ["", "s", "a", "places"],
    assignments: [""],
    rebalanceProtocol: [""],
    consume: ["", "1", "1 s", "0 1", "0 1 s", "0 1 t", "0 1 t s", "0 1 t f", "0 0 t f"],
    consumeLoop: ["", "1", "1 1", "s 1 f", "1 s f", "1 1 s"],
    commit: ["", "n", "s", "1", "a", "offsets", "offset", "t"],
    commitSync: ["", "n", "s", "1", "a", "offsets", "offset", "t"],
    commitCb: ["", "n", "n s", "s f", "n f", "offsets f", "u f", "n f f"],
    committed: ["", "a", "a 1", "places long f", "s 1 f"],
    position: ["", "s", "a", "places"],
    seek: ["", "offset", "offset 1", "s 1 f", "offset s f", "offset n f", "offset 1 s", "o 1 f"],
    pause: ["", "s", "a", "places"],
    resume: ["", "s", "a", "places"],
    offsetsStore: ["", "s", "a", "offsets"],
    offsetsStoreSingle: ["", "s", "s 0", "s 0 0", "s 0 0 1"],
    getWatermarkOffsets: ["", "s", "s 0", "1 0", "s s"],
  },
  Producer: {
    ...CLIENT,
    produce: ["", "s", "s 0", "s 0 n", "s n b", "s u b s", "s 0 s", "s 0 u", "s 0 b 1", "s 0 b o", "s 0 b n s"],
    poll: [""],
    setPollInBackground: ["", "1"],
    flush: ["", "1", "1 s", "s f", "long f"],
    initTransactions: ["", "1", "s f", "1 s"],
    beginTransaction: ["", "s", "f"],
    commitTransaction: ["", "s f", "1 s"],
    abortTransaction: ["", "s f", "1 s"],
    sendOffsetsToTransaction: ["", "a", "s o 1 f"],
  },
  AdminClient: {
    createTopic: ["", "o", "o 1", "o s f", "o 1 s", "o 1 f"],
    deleteTopic: ["", "s", "s 1", "1 1 f", "s s f"],
    createPartitions: ["", "s 1", "s 1 1 s", "s s 1 f", "1 1 1 f"],
    deleteRecords: ["", "a o", "s o f", "a o f", "offsets s f", "ones o f"],
    describeTopics: ["", "a o", "s o f", "a o f"],
    listOffsets: ["", "a o", "s o f"],
    listGroups: ["", "o", "s f", "n f", "o s"],
    describeGroups: ["", "texts o", "s o f", "texts s f", "a o f"],
    deleteGroups: ["", "texts o", "s o f", "texts s f", "a o f"],
    listConsumerGroupOffsets: ["", "a o", "s o f", "a o f", "ones o f"],
  },
};

/** Makes one call, and waits for its callback if it has one. */
function answerOf(client, method, names) {
  const call = (callback) =>
    client[method](...names.map((name) => values[name] === CALLBACK ? callback : values[name]));
  return names.includes("f") ? called(call) : returned(call);
}

/**
 * Returns all results of an addon, by call.
 *
 * @param {object} addon the addon's exports
 * @param {string} servers the `bootstrap.servers` of a broker with a topic `t`
 * @returns {Promise<Record<string, string>>}
 */
export async function answersOf(addon, servers) {
  const answers = {};
  for (const [kind, methods] of Object.entries(CALLS)) {
    for (const [method, calls] of Object.entries(methods)) {
      for (const state of ["unconnected", "connected"]) {
        // Each in a group of its own: a member that has just left another would delay this one.
        const group = kind === "KafkaConsumer" ? { "group.id": `${method}-${randomUUID()}` } : {};
        const client = new addon[kind]({ "bootstrap.servers": servers, "log_level": 0, ...group }, {});
        if (state === "connected") await (kind === "AdminClient" ? client.connect() : connect(client));
        for (const call of calls) {
          const names = call === "" ? [] : call.split(" ");
          answers[`${state} ${kind}.${method}(${names})`] = await answerOf(client, method, names);
        }
        if (state === "unconnected") continue;
        if (kind === "AdminClient") client.disconnect();
        else await new Promise((resolve) => client.disconnect(resolve));
      }
    }
  }
  return answers;
}
