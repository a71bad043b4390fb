import assert from "node:assert/strict";
import { type ErrorPolicy, HandlerError, KafkaError, Slipstream, Topic } from "@slipstream/slipstream";
import { everything, LOCAL_ONLY, TestBroker } from "../support/brokers.ts";

const QUIET = { handleSignals: false } as const;
const PRODUCE = 0, INVALID_RECORD = 87;
const MESSAGES = 50;

/** Copies messages to a topic while the broker refuses one produce request for good. */
async function refused(
  broker: TestBroker,
  onError: ErrorPolicy,
): Promise<{ readonly from: string; readonly delivered: (string | null)[]; readonly error: unknown }> {
  const [from, to] = [await broker.createTopic("refusing"), await broker.createTopic("refused")];
  await using source = new Topic(from, broker.conf());
  await source.sendBatch(Array.from({ length: MESSAGES }, (_, n) => [null, `${n}`] as const));
  await using reading = broker.toEnd(from, { "group.id": `g-${from}` });
  // The client is connected and sends each record in a request of its own: one is refused, the others are not.
  await using writing = new Topic(to, broker.conf({ "batch.num.messages": 1, "max.in.flight": 1 }));
  await writing.send(null, "first");
  broker.local!.pushErrors(PRODUCE, [INVALID_RECORD]);
  const app = new Slipstream();
  app.handle(reading, { name: "move", sink: writing, onError }, ({ value }) => [null, value]);
  const error = await app.stream(QUIET).then(() => undefined, (error) => error);
  broker.local!.clearErrors(PRODUCE);
  return { from, error, delivered: (await everything(broker, to)).map(({ value }) => value) };
}

/** How many messages the group has not committed, and would read again. */
async function notCommitted(broker: TestBroker, name: string): Promise<number> {
  await using asking = new Topic(name, broker.conf({ "group.id": `g-${name}` }));
  return (await asking.lag()).total;
}

const numbers = (values: readonly (string | null)[]) =>
  values.filter((value) => value !== "first").map(Number).sort((a, b) => a - b);
const all = Array.from({ length: MESSAGES }, (_, n) => n);

Deno.test(
  "values that a Topic sink can't deliver are skipped, or passed to the function, one by one",
  LOCAL_ONLY,
  async () => {
    await using broker = await TestBroker.start();
    const skipped = await refused(broker, "skip");
    assert.equal(skipped.error, undefined);
    assert.ok(numbers(skipped.delivered).length > 0 && numbers(skipped.delivered).length < MESSAGES);
    const errors: HandlerError[] = [];
    const { from, delivered, error } = await refused(broker, (error) => errors.push(error));
    assert.equal(error, undefined);
    const values = errors.map(({ value }) => (value as { value: string }).value);
    assert.deepEqual(numbers([...delivered, ...values]), all);
    const [first] = errors;
    assert.deepEqual([first!.handler, first!.topic, first!.partition, first!.offset], [
      "move",
      from,
      0,
      Number(values[0]),
    ]);
    assert.ok(first!.cause instanceof KafkaError);
  },
);

Deno.test(
  "values that a Topic sink can't deliver become dead letters, and are settled when these are delivered",
  LOCAL_ONLY,
  async () => {
    await using broker = await TestBroker.start();
    const dead = await broker.createTopic("refused-dead");
    await using letters = new Topic(dead, broker.conf());
    const { from, delivered, error } = await refused(broker, letters);
    assert.equal(error, undefined);
    const put = (await everything(broker, dead)).map(({ value }) => value);
    assert.ok(put.length > 0);
    assert.deepEqual(numbers([...delivered, ...put]), all);
    assert.equal(await notCommitted(broker, from), 0);
  },
);

Deno.test(
  "a value that a Topic sink can't deliver fails the run with an error that names its message, which is read again",
  LOCAL_ONLY,
  async () => {
    await using broker = await TestBroker.start();
    const { from, delivered, error } = await refused(broker, "fail");
    assert.ok(error instanceof HandlerError && error.cause instanceof KafkaError, String(error));
    assert.match(
      error.message,
      /handler "move" failed on refusing-.*\[0\]@\d+: Topic "refused-.*: the message without key .* was not delivered/,
    );
    assert.deepEqual([error.topic, error.partition], [from, 0]);
    const left = all.slice(MESSAGES - await notCommitted(broker, from));
    assert.ok(left.includes(error.offset!));
    assert.deepEqual([...new Set([...numbers(delivered), ...left])].sort((a, b) => a - b), all);
  },
);

Deno.test(
  "a dead letter that the broker refuses fails the run with an error that names its message",
  LOCAL_ONLY,
  async () => {
    await using broker = await TestBroker.start();
    const [from, dead] = [await broker.createTopic("lost"), await broker.createTopic("lost-dead")];
    await using source = new Topic(from, broker.conf());
    await source.sendBatch([[null, "0"], [null, "1"]]);
    await using reading = broker.toEnd(from, { "group.id": `g-${from}` });
    await using letters = new Topic(dead, broker.conf());
    broker.local!.pushErrors(PRODUCE, [INVALID_RECORD]);
    const app = new Slipstream();
    app.handle(reading, { name: "count", onError: letters }, ({ value }) => {
      if (value === "1") throw new Error("on purpose");
    });
    await assert.rejects(app.stream(QUIET), (error: unknown) => {
      assert.ok(error instanceof HandlerError && error.cause instanceof KafkaError, String(error));
      assert.deepEqual([error.handler, error.topic, error.offset], ["count", from, 1]);
      return true;
    });
    assert.ok(await notCommitted(broker, from) >= 1);
  },
);
