import assert from "node:assert/strict";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

const OAUTH = {
  "bootstrap.servers": "127.0.0.1:1",
  "security.protocol": "sasl_plaintext",
  "sasl.mechanisms": "OAUTHBEARER",
  "sasl.oauthbearer.config": "key=value",
  "log_level": 0,
} as const;
type Native = {
  connect(callback: (error: unknown) => void): void;
  disconnect(callback: () => void): void;
  setSaslCredentials(username: unknown, password: unknown): null;
  setOAuthBearerToken(token: unknown, lifetimeMs: unknown, principal: unknown, extensions?: unknown): null;
  setOAuthBearerTokenFailure(reason: unknown): null;
};
const native = (client: unknown) => (client as { _client: Native })._client;
const disconnected = (client: unknown) => new Promise<void>((resolve) => native(client).disconnect(resolve));
const token = () => ({ tokenValue: "aaaa.bbbb.cccc", lifetime: Date.now() + 60_000, principal: "me" });

for (const kind of ["Producer", "KafkaConsumer"] as const) {
  Deno.test(`oauthbearer_token_refresh_cb of a ${kind} is called although the program neither polls nor consumes, and answers by callback or promise`, async () => {
    const kafka = await loadKafkaJavascript();
    for (const form of ["callback", "promise"] as const) {
      const refresh = Promise.withResolvers<string>();
      const client = new kafka[kind]({
        ...OAUTH,
        "group.id": "g",
        oauthbearer_token_refresh_cb: (config: string, done: (error: unknown, token: unknown) => void) => {
          refresh.resolve(config);
          if (form === "promise") return Promise.resolve(token());
          done(null, token());
        },
      } as never, {});
      const errors: Error[] = [];
      (client as unknown as { on(event: string, listener: (error: Error) => void): void })
        .on("error", (error) => errors.push(error));
      client.connect({ timeout: 60_000 }, () => {});
      assert.equal(await refresh.promise, "key=value");
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.deepEqual(errors, []);
      await disconnected(client);
    }
  });
}

Deno.test("oauthbearer_token_refresh_cb that fails causes an error event with its reason", async () => {
  const { Producer } = await loadKafkaJavascript();
  const client = new Producer({
    ...OAUTH,
    oauthbearer_token_refresh_cb: () => Promise.reject(new Error("no token today")),
  } as never, {});
  const failed = new Promise<Error>((resolve) =>
    (client as unknown as { on: typeof addEventListener })
      .on("error", resolve as never)
  );
  client.connect({ timeout: 60_000 }, () => {});
  assert.equal((await failed).message, "oauthbearer_token_refresh_cb: no token today");
  await disconnected(client);
});

Deno.test("setOAuthBearerToken() and setOAuthBearerTokenFailure() check their arguments, and throw librdkafka's code", async () => {
  const { Producer } = await loadKafkaJavascript();
  const client = native(new Producer({ ...OAUTH, oauthbearer_token_refresh_cb: () => {} } as never, {}));
  assert.throws(() => client.setOAuthBearerToken("t", 1, "p"), { code: -172 });
  assert.throws(() => client.setOAuthBearerTokenFailure("why"), { code: -172 });
  assert.throws(() => client.setOAuthBearerToken(1, 1, "p"), /1st parameter must be a token string/);
  assert.throws(() => client.setOAuthBearerToken("t", 1, "p", {}), /4th parameter must be an extensions array/);
  assert.throws(() => client.setSaslCredentials("u", 1), /2nd parameter must be a password string/);
  await new Promise((resolve) => client.connect(resolve));
  const { tokenValue, lifetime, principal } = token();
  assert.equal(client.setOAuthBearerToken(tokenValue, lifetime, principal, ["name", "value"]), null);
  assert.throws(() => client.setOAuthBearerToken(tokenValue, 1000, principal, null), { code: -186 });
  assert.throws(() => client.setOAuthBearerToken(tokenValue, lifetime, principal, ["odd"]), { code: -186 });
  await new Promise<void>((resolve) => client.disconnect(resolve));
});

Deno.test("setSaslCredentials() takes a user name and a password if the mechanism uses them", async () => {
  const { Producer } = await loadKafkaJavascript();
  const client = native(
    new Producer({ ...OAUTH, "sasl.mechanisms": "PLAIN", "sasl.username": "u", "sasl.password": "p" }, {}),
  );
  assert.throws(() => client.setSaslCredentials("u", "p"), { code: -172 });
  await new Promise((resolve) => client.connect(resolve));
  assert.equal(client.setSaslCredentials("other", "secret"), null);
  await new Promise<void>((resolve) => client.disconnect(resolve));
});

Deno.test("connect() during a disconnect() connects after it", async () => {
  const { Producer } = await loadKafkaJavascript();
  const client = native(new Producer({ "bootstrap.servers": "127.0.0.1:1", "log_level": 0 }, {}));
  await new Promise((resolve) => client.connect(resolve));
  const order: string[] = [];
  const first = new Promise<void>((resolve) => client.disconnect(() => (order.push("closed"), resolve())));
  const again = new Promise<unknown>((resolve) => client.connect((error) => (order.push("connected"), resolve(error))));
  await first;
  assert.equal(await again, null);
  assert.deepEqual(order, ["closed", "connected"]);
  await new Promise<void>((resolve) => client.disconnect(resolve));
});

Deno.test("configureCallbacks() takes functions only, and refuses unknown names", async () => {
  const { Producer } = await loadKafkaJavascript();
  const client = native(new Producer({ "bootstrap.servers": "127.0.0.1:1" }, {})) as unknown as {
    configureCallbacks(add: boolean, configs: object): boolean;
  };
  assert.equal(client.configureCallbacks(true, { global: { rebalance_cb() {}, other: 1 }, event: {} }), true);
  for (const group of ["global", "topic"]) {
    assert.throws(() => client.configureCallbacks(true, { [group]: { no_such_cb() {} } }), /Invalid callback type/);
  }
});

Deno.test("AdminClient.create() calls for a token, and takes tokens and credentials while it runs", async () => {
  const { AdminClient } = await loadKafkaJavascript();
  const refresh = Promise.withResolvers<string>();
  const admin = AdminClient.create({
    ...OAUTH,
    oauthbearer_token_refresh_cb: (config: string, done: (error: unknown, token: unknown) => void) => {
      refresh.resolve(config);
      done(null, token());
    },
  } as never);
  assert.equal(await refresh.promise, "key=value");
  const { tokenValue, lifetime, principal } = token();
  assert.equal(native(admin).setOAuthBearerToken(tokenValue, lifetime, principal, null), null);
  assert.equal(native(admin).setSaslCredentials("user", "password"), null);
  admin.disconnect();
});

Deno.test("an AdminClient made from a connected client sets that client's credentials and tokens", async () => {
  const { AdminClient, Producer } = await loadKafkaJavascript();
  const producer = new Producer(
    { ...OAUTH, "sasl.mechanisms": "PLAIN", "sasl.username": "u", "sasl.password": "p" },
    {},
  );
  await new Promise<void>((resolve, reject) => native(producer).connect((error) => error ? reject(error) : resolve()));
  // As if a broker had answered.
  (producer as unknown as { _isConnected: boolean })._isConnected = true;
  const admin = native(AdminClient.createFrom(producer));
  assert.equal(admin.setSaslCredentials("other", "secret"), null);
  const { tokenValue, lifetime, principal } = token();
  assert.throws(() => admin.setOAuthBearerToken(tokenValue, lifetime, principal), {
    code: -172,
    message: "SASL/OAUTHBEARER is not the configured authentication mechanism",
  });
  assert.throws(() => admin.setOAuthBearerTokenFailure("why"), { code: -172 });
  await disconnected(producer);
  assert.throws(() => admin.setSaslCredentials("other", "secret"), { code: -172 });
});
