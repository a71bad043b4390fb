/**
 * Tests SASL and TLS on a Kafka that the tests start. They run only if `KAFKA_BOOTSTRAP_SERVERS` is set, since Java and Kafka
 * are installed then.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Conf, KafkaError, Topic } from "@slipstream/slipstream";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { PASSPHRASE } from "./certificates.ts";
import { SecureKafka, USER } from "./secure_kafka.ts";

const ignore = Deno.env.get("KAFKA_BOOTSTRAP_SERVERS") === undefined;
let secure: SecureKafka;
if (!ignore) {
  Deno.test.beforeAll(async () => void (secure = await SecureKafka.start()));
  Deno.test.afterAll(() => secure[Symbol.asyncDispose]());
}

/** A way to authenticate: a client's configuration, and the listener that accepts it. */
interface Way {
  readonly listener: string;
  conf(): Conf | Promise<Conf>;
}

const sasl = (mechanism: string, password: string = USER.password): Conf => ({
  "security.protocol": "sasl_plaintext",
  "sasl.mechanisms": mechanism,
  "sasl.username": USER.name,
  "sasl.password": password,
});
const tls = (authority = "ca"): Conf => ({
  "security.protocol": "ssl",
  "ssl.ca.location": secure.certificates.path(`${authority}.crt`),
});
const anyHost: Conf = { "ssl.endpoint.identification.algorithm": "none" };
const inMemory = async (client: string): Promise<Conf> => ({
  "security.protocol": "ssl",
  "ssl.ca.pem": await secure.certificates.text("ca.crt"),
  "ssl.certificate.pem": await secure.certificates.text(`${client}.crt`),
  "ssl.key.pem": await secure.certificates.text(`${client}.key`),
});

const RIGHT: Readonly<Record<string, Way>> = {
  "SASL PLAIN": { listener: "PLAIN", conf: () => sasl("PLAIN") },
  "SCRAM-SHA-256": { listener: "SCRAM256", conf: () => sasl("SCRAM-SHA-256") },
  "SCRAM-SHA-512": { listener: "SCRAM512", conf: () => sasl("SCRAM-SHA-512") },
  "OAUTHBEARER, unsecured": {
    listener: "TOKENS",
    conf: () => ({
      "security.protocol": "sasl_plaintext",
      "sasl.mechanisms": "OAUTHBEARER",
      "enable.sasl.oauthbearer.unsecure.jwt": true,
      "sasl.oauthbearer.config": `principal=${USER.name}`,
    }),
  },
  "TLS": { listener: "TLS", conf: () => tls() },
  "TLS with a client certificate": {
    listener: "MUTUAL",
    conf: () => ({
      ...tls(),
      "ssl.certificate.location": secure.certificates.path("client.crt"),
      "ssl.key.location": secure.certificates.path("client.key"),
    }),
  },
  "TLS with a client's key under a passphrase": {
    listener: "MUTUAL",
    conf: () => ({
      ...tls(),
      "ssl.certificate.location": secure.certificates.path("client.crt"),
      "ssl.key.location": secure.certificates.path("client.locked.key"),
      "ssl.key.password": PASSPHRASE,
    }),
  },
  "TLS with certificates in memory": { listener: "MUTUAL", conf: () => inMemory("client") },
  "TLS to another host's certificate, unchecked": { listener: "ELSEWHERE", conf: () => ({ ...tls(), ...anyHost }) },
  "SCRAM-SHA-512 over TLS": {
    listener: "BOTH",
    conf: () => ({ ...sasl("SCRAM-SHA-512"), ...tls(), "security.protocol": "sasl_ssl" }),
  },
};

const WRONG: Readonly<Record<string, Way & { readonly code: number; readonly says: RegExp }>> = {
  "SASL PLAIN with a wrong password": {
    listener: "PLAIN",
    conf: () => sasl("PLAIN", "wrong"),
    code: -169,
    says: /Invalid username or password.*see sasl\.username/,
  },
  "SCRAM-SHA-512 with a wrong password": {
    listener: "SCRAM512",
    conf: () => sasl("SCRAM-SHA-512", "wrong"),
    code: -169,
    says: /invalid credentials.*see sasl\.username/,
  },
  "a mechanism that the broker lacks": {
    listener: "SCRAM256",
    conf: () => sasl("PLAIN"),
    code: -169,
    says: /supported mechanisms: SCRAM-SHA-256.*sasl\.mechanism/,
  },
  "an authority that did not sign the broker's certificate": {
    listener: "TLS",
    conf: () => tls("stranger"),
    code: -181,
    says: /certificate verify failed.*see ssl\.ca\.location/,
  },
  "another host's certificate": {
    listener: "ELSEWHERE",
    conf: () => tls(),
    code: -181,
    says: /certificate verify failed.*ssl\.endpoint\.identification\.algorithm/,
  },
  "a certificate of the broker's that has expired": {
    listener: "EXPIRED",
    // Everything else is right.
    conf: () => ({ ...tls(), ...anyHost }),
    code: -181,
    says: /certificate verify failed/,
  },
  "a client certificate that has expired": {
    listener: "MUTUAL",
    conf: () => inMemory("expired"),
    code: -181,
    says: /alert.*certificate.*ssl\.certificate\.location/,
  },
  "no client certificate where one is required": {
    listener: "MUTUAL",
    conf: () => tls(),
    code: -181,
    says: /alert.*certificate.*ssl\.certificate\.location/,
  },
  "a client certificate that a stranger signed": {
    listener: "MUTUAL",
    conf: () => inMemory("stranger"),
    code: -181,
    says: /alert.*(certificate|unknown ca).*ssl\.certificate\.location/,
  },
};

async function confOf(way: Way): Promise<Conf> {
  const own = await way.conf();
  return { "bootstrap.servers": secure.kafka.listeners[way.listener]!, "auto.offset.reset": "earliest", ...own };
}

const fresh = () => `t-${crypto.randomUUID()}`;

for (const [what, way] of Object.entries(RIGHT)) {
  Deno.test({
    name: `a topic writes and reads with ${what}`,
    ignore,
    async fn() {
      await using topic = new Topic(fresh(), await confOf(way), { until: "end" });
      await topic.send("key", "value");
      assert.deepEqual(await Array.fromAsync(topic, ({ key, value }) => [key, value]), [["key", "value"]]);
    },
  });

  Deno.test({
    name: `the npm client's callback API writes and reads with ${what}`,
    ignore,
    async fn() {
      const { KafkaConsumer, Producer } = await loadKafkaJavascript();
      const conf = await confOf(way), topic = fresh();
      const producer = new Producer({ ...conf, dr_cb: true } as never, {});
      await connect(producer);
      producer.setPollInBackground(true);
      const delivered = new Promise<void>((resolve, reject) =>
        producer.on("delivery-report", (error) => error ? reject(error) : resolve())
      );
      producer.produce(topic, null, Buffer.from("value"), "key");
      await delivered;
      const consumer = new KafkaConsumer({ ...conf, "group.id": topic } as never, {});
      await connect(consumer);
      consumer.assign([{ topic, partition: 0, offset: 0 }]);
      const messages: unknown[] = [];
      while (messages.length === 0) {
        messages.push(
          ...await new Promise<{ value: Buffer | null }[]>((resolve, reject) =>
            consumer.consume(1, (error, some) => error ? reject(error) : resolve(some as never))
          ),
        );
      }
      assert.deepEqual(messages.map((message) => String((message as { value: Buffer }).value)), ["value"]);
      await disconnect(consumer);
      await disconnect(producer);
    },
  });

  Deno.test({
    name: `the npm client's KafkaJS API writes and reads with ${what}`,
    ignore,
    async fn() {
      const { KafkaJS } = await loadKafkaJavascript();
      const conf = await confOf(way), topic = fresh();
      const kafka = new KafkaJS.Kafka({ ...conf, "log_level": 0 } as never);
      const producer = kafka.producer();
      await producer.connect();
      await producer.send({ topic, messages: [{ key: "key", value: "value" }] });
      await producer.disconnect();
      const consumer = kafka.consumer({ "group.id": topic } as never);
      await consumer.connect();
      await consumer.subscribe({ topic });
      const got = Promise.withResolvers<string>();
      await consumer.run({
        eachMessage({ message }) {
          got.resolve(String(message.value));
          return Promise.resolve();
        },
      });
      assert.equal(await got.promise, "value");
      await consumer.disconnect();
    },
  });
}

for (const [what, way] of Object.entries(WRONG)) {
  Deno.test({
    name: `reading and writing a topic with ${what} fail soon, say why and close`,
    ignore,
    async fn() {
      await using topic = new Topic(fresh(), await confOf(way), { until: "end" });
      const refused = (error: unknown) => {
        assert.ok(error instanceof KafkaError, `${error}`);
        assert.equal(error.code, way.code);
        assert.match(error.message, way.says);
        assert.equal(error.retriable, false);
        return true;
      };
      await Promise.all([
        assert.rejects(soon(topic.send("key", "value")), refused),
        assert.rejects(soon(Array.fromAsync(topic)), refused),
      ]);
    },
  });

  for (const kind of ["Producer", "KafkaConsumer"] as const) {
    Deno.test({
      name: `a ${kind} of the npm client gets an error for ${what} while it connects, and closes`,
      ignore,
      async fn() {
        const kafka = await loadKafkaJavascript();
        const client = new kafka[kind]({ ...await confOf(way), "group.id": "g" } as never, {}) as unknown as Client;
        const codes: unknown[] = [];
        const heard = new Promise<void>((resolve) =>
          client.on("event.error", ({ code }) => {
            codes.push(code);
            if (code === -169 || code === -181 || code === -195) resolve();
          })
        );
        const answered = new Promise<{ code: number } | null>((resolve) =>
          client.connect({ timeout: 60_000 }, (error) => resolve(error as never))
        );
        await soon(heard);
        await soon(new Promise<void>((resolve) => client._client.disconnect(resolve)));
        assert.ok(await soon(answered) !== null, `${codes}`);
      },
    });
  }
}

Deno.test({
  name: "the npm client's KafkaJS API reports a wrong password, and disconnect() ends its connect()",
  ignore,
  async fn() {
    const { KafkaJS } = await loadKafkaJavascript();
    const conf = await confOf(WRONG["SASL PLAIN with a wrong password"]!);
    for (const kind of ["producer", "consumer"] as const) {
      const heard = Promise.withResolvers<void>();
      const nothing = () => {};
      const logger = {
        info: nothing,
        warn: nothing,
        debug: nothing,
        error: (message: string) => message.includes("Error: ") && heard.resolve(),
        namespace: () => logger,
        setLogLevel: nothing,
      };
      const kafka = new KafkaJS.Kafka({ ...conf, kafkaJS: { logger } } as never);
      const client = kafka[kind]({ "group.id": "g" } as never);
      const connecting = assert.rejects(client.connect(), { code: -169 });
      await soon(heard.promise);
      await soon(client.disconnect());
      await soon(connecting);
    }
  },
});

Deno.test({
  name: "the broker accepts the program's OAUTHBEARER tokens, and refuses a bad one",
  ignore,
  async fn() {
    const { Producer } = await loadKafkaJavascript();
    const conf = tokenConf();
    const lifetime = Date.now() + 600_000;
    const good = token(lifetime), bad = { ...token(2000), lifetime };
    for (const given of [good, bad]) {
      const client = new Producer(
        { ...conf, oauthbearer_token_refresh_cb: () => Promise.resolve(given) } as never,
        {},
      ) as unknown as Client;
      const refused = new Promise<unknown>((resolve) =>
        client.on("event.error", ({ code }) => code === -169 && resolve(code))
      );
      const connected = new Promise<unknown>((resolve) => client.connect({ timeout: 60_000 }, resolve));
      assert.equal(await soon(given === good ? connected : refused), given === good ? null : -169);
      await new Promise<void>((resolve) => client._client.disconnect(resolve));
    }
  },
});

Deno.test({
  name: "OAUTHBEARER tokens are renewed before they expire, and the program may set one at any time",
  ignore,
  async fn() {
    const { Producer } = await loadKafkaJavascript();
    const conf = tokenConf();
    const renewed = Promise.withResolvers<void>();
    let given = 0;
    const oauthbearer_token_refresh_cb = () => {
      if (++given === 2) renewed.resolve();
      return Promise.resolve(token(Date.now() + 3000));
    };
    const client = new Producer({ ...conf, oauthbearer_token_refresh_cb } as never, {});
    await connect(client);
    await soon(renewed.promise);
    await new Promise<void>((resolve) => (client as unknown as Client)._client.disconnect(resolve));

    const byHand = new Producer(conf as never, {}) as unknown as Client;
    const connected = new Promise<unknown>((resolve) => byHand.connect({ timeout: 20_000 }, resolve));
    const { tokenValue, lifetime, principal } = token(Date.now() + 600_000);
    for (;;) {
      try {
        byHand._client.setOAuthBearerToken(tokenValue, lifetime, principal, null);
        break;
      } catch {
        // The client must exist in C.
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    assert.equal(await soon(connected), null);
    await new Promise<void>((resolve) => byHand._client.disconnect(resolve));
  },
});

Deno.test({
  name: "setSaslCredentials() replaces a wrong password while the client connects, and no secret is logged",
  ignore,
  async fn() {
    const { Producer } = await loadKafkaJavascript();
    const conf = { ...await confOf(WRONG["SASL PLAIN with a wrong password"]!), "reconnect.backoff.max.ms": 200 };
    const client = new Producer({ ...conf, "debug": "all" } as never, {}) as unknown as Client;
    let logged = "";
    client.on("event.log", (log) => logged += JSON.stringify(log));
    const refused = new Promise<void>((resolve) => client.on("event.error", ({ code }) => code === -169 && resolve()));
    const connected = new Promise<unknown>((resolve) => client.connect({ timeout: 60_000 }, resolve));
    await soon(refused);
    client._client.setSaslCredentials(USER.name, USER.password);
    assert.equal(await soon(connected), null);
    await new Promise<void>((resolve) => client._client.disconnect(resolve));
    assert.match(logged, /SASL/);
    assert.ok(!logged.includes(USER.password) && !logged.includes("wrong"), "a password is in the log");

    const mutual = new Producer({
      ...await confOf({ listener: "MUTUAL", conf: () => inMemory("client") }),
      "debug": "all",
    } as never, {}) as unknown as Client;
    logged = "";
    mutual.on("event.log", (log) => logged += JSON.stringify(log));
    assert.equal(await soon(new Promise((resolve) => mutual.connect({ timeout: 20_000 }, resolve))), null);
    await new Promise<void>((resolve) => mutual._client.disconnect(resolve));
    const key = (await secure.certificates.text("client.key")).split("\n")[2]!;
    assert.match(logged, /SSL/);
    assert.ok(!logged.includes(key) && !logged.includes("PRIVATE KEY"), "a key is in the log");
  },
});

/** The form in which a client sends a token to the broker. */
function tokenConf() {
  return {
    "bootstrap.servers": secure.kafka.listeners.TOKENS!,
    "security.protocol": "sasl_plaintext",
    "sasl.mechanisms": "OAUTHBEARER",
  };
}

/** An unsigned token that expires at a time in milliseconds since 1970, rounded up to seconds. */
function token(until: number) {
  const part = (value: object) => btoa(JSON.stringify(value)).replaceAll("=", "");
  const exp = Math.ceil(until / 1000);
  const tokenValue = `${part({ alg: "none" })}.${part({ sub: USER.name, iat: 1, exp })}.`;
  return { tokenValue, lifetime: exp * 1000, principal: USER.name };
}

interface Client {
  on(event: string, listener: (error: { code: number }) => void): void;
  connect(options: object, callback: (error: unknown) => void): void;
  disconnect(callback: (error: unknown) => void): void;
  _client: {
    disconnect(callback: () => void): void;
    setSaslCredentials(username: string, password: string): null;
    setOAuthBearerToken(token: string, lifetimeMs: number, principal: string, extensions: null): null;
  };
}

function connect(client: unknown): Promise<void> {
  return new Promise((resolve, reject) =>
    (client as Client).connect({ allTopics: false, timeout: 20_000 }, (error) => error ? reject(error) : resolve())
  );
}

function disconnect(client: unknown): Promise<void> {
  return new Promise((resolve) => (client as Client).disconnect(() => resolve()));
}

/** Rejects after a time instead of hanging. The call takes well under a second. */
async function soon<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("not within 20 s")), 20_000);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
