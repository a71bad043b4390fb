import assert from "node:assert/strict";
import type { Delivery } from "../../../src/protocol/protocol.ts";
import { fakes, stateOf, turns } from "../../support/fake_producer.ts";

/** A delivery that notes what it is told; it disposes of the message unless it is to fail. */
function delivery(fails = false): Delivery & { readonly told: [string, unknown][] } {
  const told: [string, unknown][] = [];
  return {
    told,
    undelivered(error, message) {
      told.push([(error as Error).message, message]);
      if (fails) throw new Error(`fails on ${message}`);
    },
  };
}

Deno.test("a delivery settles by its own records alone, with one outcome however often it is asked for", async () => {
  using all = fakes();
  const sink = all.writer.open({ keepsProducer: true });
  const a = delivery(), b = delivery(true), c = delivery();
  await sink.accept(["k", "a1"], a, 1);
  sink.accept(["k", "b1"], b, 2);
  sink.accept(["k", "a2"], a, 3);
  sink.accept(["k", "b2"], b, 4);
  assert.equal(sink.settle(c), undefined, "it knows nothing of it");
  const early = sink.settle(b);
  all.producer.report("b1", 87);
  all.producer.report("a1");
  assert.equal(await stateOf(early), "pending");
  assert.equal(await stateOf(sink.settle(a)), "pending");
  all.producer.report("b2");
  assert.equal(await stateOf(sink.settle(a)), "pending");
  all.producer.report("a2");
  assert.equal(await stateOf(sink.settle(a)), "resolved");
  for (const settled of [early, sink.settle(b), sink.settle(b)]) {
    assert.equal(await stateOf(settled), "rejected: fails on 2");
  }
  assert.deepEqual(a.told, []);
  assert.deepEqual(b.told, [['Topic "t": a message was not delivered: error 87', 2]]);
  await sink.close();
});

Deno.test("a failed record has settled when undelivered() of its delivery has", async () => {
  using all = fakes();
  const sink = all.writer.open({ keepsProducer: true });
  const disposed = Promise.withResolvers<void>();
  const patient: Delivery = { undelivered: () => disposed.promise };
  await sink.accept(["k", "x"], patient);
  all.producer.report(1, 87);
  const settled = sink.settle(patient);
  assert.equal(await stateOf(settled), "pending");
  disposed.resolve();
  assert.equal(await stateOf(settled), "resolved");
  assert.equal(sink.settle(patient), undefined);
  await sink.close();
});

Deno.test("a queued record keeps its delivery and its order", async () => {
  using all = fakes({ "queue.buffering.max.messages": 2 });
  const sink = all.writer.open({ keepsProducer: true }), other = all.writer.open({ keepsProducer: true });
  const a = delivery(), b = delivery();
  await sink.accept(["k", "1"], a, 1);
  sink.accept(["k", "2"], b, 2);
  const waiting = sink.accept(["k", "3"], a, 3);
  const behind = other.accept(["k", "4"], b, 4);
  const sent = all.writer.send(["k", "5"]);
  assert.equal(await stateOf(waiting), "pending");
  all.producer.report("1");
  await Promise.all([waiting, stateOf(behind)]);
  assert.equal(await stateOf(sink.settle(a)), "pending", "3 is not delivered");
  all.producer.report(2);
  await turns();
  assert.deepEqual(all.producer.values, ["1", "2", "3", "4", "5"]);
  assert.equal(await stateOf(sink.settle(a)), "resolved");
  all.producer.report("4", 87);
  all.producer.report("5");
  await sent;
  assert.equal(await stateOf(other.settle(b)), "resolved");
  assert.deepEqual([a.told, b.told.map(([, message]) => message)], [[], [4]]);
  await Promise.all([sink.close(), other.close()]);
});

Deno.test("a small record does not overtake a large one that waits for room", async () => {
  using all = fakes();
  const sink = all.writer.open({ keepsProducer: true }), a = delivery();
  await sink.accept(["k", "12345678"], a);
  all.producer.room = 10;
  const large = sink.accept(["k", "abcdefgh"], a);
  assert.ok(large instanceof Promise);
  // There would be room for these.
  const small = sink.accept(["k", "s"], a), sent = all.writer.send(["k", "t"]);
  const batch = all.writer.sendBatch([["k", "u"], ["k", "v"]]);
  await turns();
  assert.deepEqual(all.producer.values, ["12345678"]);
  all.producer.report(1);
  await Promise.all([large, small]);
  await turns();
  all.producer.report(Infinity);
  await turns();
  all.producer.report(Infinity);
  await Promise.all([sent, batch]);
  assert.deepEqual(all.producer.values, ["12345678", "abcdefgh", "s", "t", "u", "v"]);
  await sink.close();
});

Deno.test("a record that there will never be room for is refused, and the records behind it are produced", async () => {
  using all = fakes();
  all.prepare = (producer) => producer.room = 4;
  const sink = all.writer.open({ keepsProducer: true }), a = delivery();
  await assert.rejects(Promise.resolve(sink.accept(["k", "too large"], a)), { code: -184 });
  assert.equal(sink.settle(a), undefined, "it kept nothing of it");
  const many = Array.from({ length: 100 }, (_, n) => all.writer.send(["k", n === 0 ? "too large" : "f"]));
  const outcomes = Promise.allSettled(many);
  await assert.rejects(many[0]!);
  for (let n = 0; n < 99; n += 4) {
    await turns();
    all.producer.report(4);
  }
  assert.equal((await outcomes).filter(({ status }) => status === "fulfilled").length, 99);
  await sink.accept(["k", "fits"], a);
  all.producer.report(1);
  await assert.rejects(all.writer.send(["k", "too large"]), /larger than queue\.buffering\.max\.kbytes/);
  await sink.close();
});

Deno.test("a client that frees room late refuses no record, however many are queued", async () => {
  using all = fakes();
  all.prepare = (producer) => producer.room = 0;
  const sends = Array.from({ length: 100 }, (_, n) => all.writer.send(["k", `${n}`]));
  await turns();
  sends.push(...Array.from({ length: 100 }, (_, n) => all.writer.send(["k", `${n}`])));
  all.producer.room = Infinity;
  await new Promise((resolve) => setTimeout(resolve, 10));
  all.producer.report(Infinity);
  assert.equal((await Promise.all(sends)).length, 200);
  await all.writer.close();
});

Deno.test("close() with a reason drops queued records, and abandons records in flight", async () => {
  using all = fakes({ "queue.buffering.max.messages": 1 });
  const sink = all.writer.open({ keepsProducer: true }), other = all.writer.open({ keepsProducer: true });
  const a = delivery(), b = delivery();
  await sink.accept(["k", "1"], a);
  const waiting = sink.accept(["k", "2"], a), others = other.accept(["k", "3"], b);
  const settled = sink.settle(a);
  const began = performance.now();
  const closing = sink.close(new Error("stopped"));
  assert.match(await stateOf(waiting), /rejected: .*closed/);
  await closing;
  assert.ok(performance.now() - began < 1000);
  assert.match(await stateOf(settled), /rejected: .*closed/);
  assert.match(await stateOf(sink.settle(a)), /rejected: .*closed/);
  assert.throws(() => sink.accept(["k", "x"], a), /closed/);
  assert.equal(all.producer.isDisconnecting, false, "the other one uses it");
  all.producer.report(1, 87);
  await others;
  all.producer.report(1);
  assert.equal(await stateOf(other.settle(b)), "resolved");
  assert.deepEqual(
    [all.producer.values, a.told],
    [["1", "3"], []],
    "2 is never produced, and a closed run hears nothing",
  );
  await other.close();
  assert.equal(all.producer.isDisconnecting, true);
});

Deno.test("close() while the client connects leaves no client behind", async () => {
  using all = fakes();
  all.prepare = (producer) => producer.connecting = new Promise(() => {});
  const sink = all.writer.open({ keepsProducer: true }), a = delivery();
  const waiting = sink.accept(["k", "1"], a);
  await sink.close(new Error("stopped"));
  assert.match(await stateOf(waiting), /rejected: .*closed/);
  assert.match(await stateOf(sink.settle(a)), /rejected: .*closed/);
  assert.equal(all.producer.isDisconnecting, true);
  // In the same turn as the first use, before there is a client.
  const next = all.writer.open({ keepsProducer: true });
  next.accept(["k", "1"], a)?.catch(() => {});
  await next.close(new Error("stopped"));
  await turns();
  assert.deepEqual(all.producers.map(({ isDisconnecting, values }) => [isDisconnecting, values.length]), [
    [true, 0],
    [true, 0],
  ]);
});

Deno.test("the client stays connected while a sink uses it, and is disconnected after the last one", async () => {
  using all = fakes();
  const one = all.writer.open({ keepsProducer: true }), two = all.writer.open({ keepsProducer: true }), a = delivery();
  await one.accept(["k", "0"], a);
  all.producer.report(1);
  const three = all.writer.open({ keepsProducer: true });
  await three.close();
  assert.equal(all.producer.isDisconnecting, false, "another run has nothing on its way, and goes on");
  one.accept(["k", "1"], a);
  await two.accept(["k", "2"], a);
  const sent = all.writer.send(["k", "3"]);
  all.producer.report("1");
  await one.close();
  assert.equal(all.producer.isDisconnecting, false);
  all.producer.report("2");
  await two.close();
  assert.equal(all.producer.isDisconnecting, false, "a send is under way");
  all.producer.report("3");
  assert.deepEqual(await sent, { topic: "t", partition: 0, offset: 3 });
  await turns();
  assert.equal(all.producer.isDisconnecting, true);
  const again = all.writer.send(["k", "4"]);
  await turns();
  all.producer.report(1);
  await again;
  assert.deepEqual([all.producers.length, all.producer.isDisconnecting], [2, false]);
  await all.writer.close();
  assert.equal(all.producer.isDisconnecting, true);
});

Deno.test("a fatal error ends the sinks of a client, and the next sink gets another client", async () => {
  using all = fakes();
  const sink = all.writer.open({ keepsProducer: true });
  const told: unknown[] = [];
  const a: Delivery = { undelivered: (error) => void told.push((error as { fatal: boolean }).fatal) };
  await sink.accept(["k", "1"], a);
  const sent = all.writer.send(["k", "2"]);
  all.producer.events.onError(-150, "fenced");
  assert.throws(() => sink.accept(["k", "3"], a), { fatal: true });
  await assert.rejects(sent, { fatal: true });
  await turns();
  assert.deepEqual(told, [true]);
  const next = all.writer.open({ keepsProducer: true });
  await next.accept(["k", "4"], a);
  all.producer.report(1);
  assert.deepEqual([all.producers.length, all.producer.values], [2, ["4"]]);
  assert.throws(() => sink.accept(["k", "5"], a), { fatal: true });
  await Promise.all([sink.close(new Error("failed")), next.close()]);
});

Deno.test("a client that can't be made fails the sink that waits for it, and the next sink tries again", async () => {
  using all = fakes();
  all.prepare = (producer) => producer.connecting = Promise.resolve(Object.assign(new Error("no"), { code: -169 }));
  const sink = all.writer.open({ keepsProducer: true }), a = delivery();
  await assert.rejects(Promise.resolve(sink.accept(["k", "1"], a)), { fatal: true, code: -169 });
  assert.match(await stateOf(sink.settle(a)), /rejected/);
  await assert.rejects(all.writer.send(["k", "1"]), { fatal: true });
  all.prepare = () => {};
  const sent = all.writer.send(["k", "2"]);
  await turns();
  all.producer.report(1);
  assert.equal((await sent).offset, 0);
  await sink.close(new Error("failed"));
  await all.writer.close();
});

Deno.test("a record that the client refuses rejects accept(), and does not fail the delivery", async () => {
  using all = fakes();
  const sink = all.writer.open({ keepsProducer: true }), a = delivery();
  await sink.accept(["k", "1"], a);
  all.producer.report(1);
  all.producer.refusal = Object.assign(new Error("unknown partition"), { code: -190 });
  assert.throws(() => sink.accept(["k", "2"], a), { code: -190 });
  assert.throws(() => sink.accept(["k", 5 as never], a), TypeError);
  assert.equal(sink.settle(a), undefined);
  all.producer.refusal = Object.assign(new Error("unknown partition"), { code: -190 });
  await assert.rejects(all.writer.send(["k", "3"]), { code: -190 });
  await sink.close();
});

Deno.test("each of many records of one delivery and of one batch gets its own report", async () => {
  using all = fakes();
  const sink = all.writer.open({ keepsProducer: true }), a = delivery(), count = 10_000;
  await sink.accept(["k", "0"], a, 0);
  for (let n = 1; n < count; n++) sink.accept(["k", `${n}`], a, n);
  all.producer.report("9000", 87);
  all.producer.report("4096", 87);
  all.producer.report(Infinity);
  assert.equal(await stateOf(sink.settle(a)), "resolved");
  assert.deepEqual(a.told.map(([, message]) => message), [9000, 4096]);
  const batch = all.writer.sendBatch(Array.from({ length: count }, (_, n) => ["k", `${n}`] as const));
  all.producer.report("8192", 87);
  all.producer.report("5", 87);
  all.producer.report(Infinity);
  await assert.rejects(batch, (error: Error & { records: unknown[] }) => {
    assert.match(error.message, /^2 of 10000: .*error 87/);
    assert.deepEqual(error.records, [["k", "5"], ["k", "8192"]]);
    return true;
  });
  const sends = Array.from({ length: count }, (_, n) => all.writer.send(["k", `${n}`]));
  all.producer.report("7000", 87);
  all.producer.report(Infinity);
  const outcomes = await Promise.allSettled(sends);
  assert.deepEqual(outcomes.flatMap(({ status }, n) => status === "rejected" ? [n] : []), [7000]);
  await sink.close();
});

Deno.test("close() reports how many of its own records are undelivered, after its time has passed", async () => {
  using all = fakes();
  const sink = all.writer.open({ keepsProducer: true }), other = all.writer.open({ keepsProducer: true });
  const a = delivery(), b = delivery();
  await sink.accept(["k", "1"], a);
  await other.accept(["k", "2"], b);
  other.accept(["k", "3"], b);
  const real = globalThis.setTimeout;
  // A close's 30 s pass at once.
  globalThis.setTimeout = ((call: () => void, ms: number) => real(call, ms >= 30_000 ? 0 : ms)) as typeof setTimeout;
  try {
    await assert.rejects(sink.close(), /closed with 1 messages undelivered after 30000 ms/);
    await assert.rejects(all.writer.close(), /closed with 2 messages undelivered after 30000 ms/);
  } finally {
    globalThis.setTimeout = real;
  }
  assert.match(await stateOf(other.settle(b)), /rejected/);
});
