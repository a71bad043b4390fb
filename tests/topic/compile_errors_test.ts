import {
  bytes,
  type Codec,
  type Conf,
  json,
  type Slipstream,
  text,
  Topic,
  type TopicOptions,
} from "@slipstream/slipstream";
import { checkMistakes, type Mistake } from "../support/compile_errors.ts";

const PREAMBLE = `
import { bytes, json, Topic } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
`;

const VALUES = /the codec of values is missing: give the option value, such as { value: json\(\) }/;
const KEYS = /the codec of keys is missing: give the option key, such as { key: bytes }/;

const MISTAKES: Readonly<Record<string, Mistake>> = {
  "no codec for values": { code: `new Topic<string, number>("n");`, at: `"n"`, says: [VALUES] },
  "no codec for values, with properties": { code: `new Topic<string, number>("n", {});`, at: `"n"`, says: [VALUES] },
  "no codec for keys": { code: `new Topic<number>("n");`, at: `"n"`, says: [KEYS] },
  "no codec for strings and more": { code: `new Topic<string, string | number>("n");`, at: `"n"`, says: [VALUES] },
  "no codec for some strings": { code: `new Topic<string, "a" | "b">("n");`, at: `"n"`, says: [VALUES] },
  "no codec for values, with options": {
    code: `new Topic<string, number>("n", {}, { offset: "end" });`,
    at: `{ offset`,
    says: [/Property 'value' is missing in type .* but required in type '{ readonly value: Codec<number>; }'/],
  },
  "no codec for keys, with one for values": {
    code: `new Topic<Uint8Array, number>("n", {}, { value: json() });`,
    at: `{ value`,
    says: [/Property 'key' is missing in type .* but required in type '{ readonly key: Codec<Uint8Array/],
  },
  "a codec of another type": {
    code: `new Topic<string, number>("n", {}, { value: json<string>() });`,
    at: "value",
    says: [/Type 'Codec<string>' is not assignable to type 'Codec<number>'/],
  },
  "an unknown option": {
    code: `new Topic("n", {}, { offsets: "end" });`,
    at: "offsets",
    says: [/'offsets' does not exist in type/, /Did you mean to write 'offset'\?/],
  },
  "an unknown property": {
    code: `new Topic("n", { "bootstrap.server": "localhost:9092" });`,
    at: `"bootstrap.server"`,
    says: [/'"bootstrap.server"' does not exist in type 'Conf'/],
  },
  "a name of another type": {
    code: `new Topic([5]);`,
    at: "5",
    says: [/Type 'number' is not assignable to type 'string'/],
  },
};

Deno.test("the compiler names the codec, the option or the property that is wrong in a new Topic()", async (t) => {
  await checkMistakes(t, PREAMBLE, MISTAKES);
});

interface Order {
  readonly id: number;
}

/** Compiled and never run. */
function compiled(conf: Conf, app: Slipstream): void {
  const strings: Topic<string, string>[] = [
    new Topic("n"),
    new Topic("n", conf),
    new Topic("n", conf, {}),
    new Topic("n", conf, { offset: "beginning", until: "end", app }),
    new Topic<string, string>("n"),
    new Topic<string>(["a", "b"], conf),
    new Topic(/^a/, conf, { key: text }),
  ];
  const orders: Topic<string, Order>[] = [
    new Topic("n", conf, { value: json<Order>() }),
    new Topic<string, Order>("n", conf, { value: json() }),
    new Topic("n", conf, {
      offset: { 0: "end", 1: 5 },
      value: { name: "order", encode: ({ id }: Order) => new Uint8Array(id), decode: (of) => ({ id: of.length }) },
    }),
    topicOf("n", json<Order>()),
    topicWith("n", { value: json<Order>() }),
  ];
  const raw: Topic<Uint8Array, Order>[] = [
    new Topic("n", conf, { key: bytes, value: json<Order>() }),
    new Topic<Uint8Array, Order>("n", conf, { key: bytes, value: json() }),
  ];
  const keyed: Topic<Uint8Array, string> = new Topic("n", conf, { key: bytes });
  // deno-lint-ignore no-explicit-any -- users write it
  const anything: Topic<any, any>[] = [new Topic<any, any>("n"), new Topic<any, any>("n", conf, { offset: "end" })];
  const options: TopicOptions = {};
  void [strings, orders, raw, keyed, anything, new Topic("n", conf, options)];
}

/** Generic code gives the codecs. */
function topicOf<V>(name: string, value: Codec<V>): Topic<string, V> {
  return new Topic<string, V>(name, {}, { value });
}

/** Generic code passes options on. */
function topicWith<K = string, V = string>(name: string, options: TopicOptions<K, V>): Topic<K, V> {
  return new Topic<K, V>(name, {}, options);
}

Deno.test("new Topic() needs no codec for strings, and infers types from codecs", () => void compiled);
