import assert from "node:assert/strict";
import { bytes, type Message, Slipstream, Topic } from "@slipstream/slipstream";
import { REAL_ONLY, TestBroker } from "../support/brokers.ts";

const QUIET = { handleSignals: false } as const;

/** Handles each message of a topic by a function that throws; returns the dead letters. */
async function letters(
  broker: TestBroker,
  from: string,
  to: string,
  failing: (message: Message<string, Uint8Array>) => unknown,
): Promise<Message<string, Uint8Array>[]> {
  {
    await using source = broker.toEnd(from, { "group.id": `g-${from}` }, { value: bytes });
    await using dead = new Topic(to, broker.conf());
    const app = new Slipstream();
    app.handle(source, { name: "bill", onError: dead }, failing);
    await app.stream(QUIET);
  }
  await using read = broker.toEnd(to, {}, { value: bytes, offset: "beginning" });
  return await Array.fromAsync(read);
}

const errorOf = (message: Message<string, Uint8Array>) => {
  const found = message.headers.find(([name]) => name === "slipstream.error");
  return found && new TextDecoder().decode(found[1]!);
};

Deno.test("a dead letter whose error quotes a large message is written, with the beginning of the error", async () => {
  await using broker = await TestBroker.start();
  const [from, to] = [await broker.createTopic("quoting", 2), await broker.createTopic("quoted", 2)];
  {
    await using source = new Topic(from, broker.conf());
    await source.send("a", "ä".repeat(450_000), { partition: 0 });
    await source.send("b", "x".repeat(999_000), { partition: 1 });
    await source.send("c", "small", { partition: 1 });
  }
  const read = await letters(broker, from, to, ({ value }) => {
    throw new Error(`invalid order: ${new TextDecoder().decode(value!)}`);
  });
  const sizes = Object.fromEntries(read.map(({ key, value }) => [key, value!.length]));
  assert.deepEqual(sizes, { a: 900_000, b: 999_000, c: 5 });
  for (const letter of read) {
    const text = errorOf(letter)!;
    assert.ok(new TextEncoder().encode(text).length <= 4096);
    assert.ok(text.startsWith("Error: invalid order: "));
    if (letter.key !== "c") assert.match(text, /(ä|x)… \(cut: the text has \d+ characters\)$/);
    assert.ok(!text.includes("\ufffd"));
  }
});

Deno.test(
  "a dead letter of a message as large as the broker takes is written, without what does not fit",
  REAL_ONLY,
  async () => {
    await using broker = await TestBroker.start();
    const limit = { "max.message.bytes": "100000" };
    const [from, to] = [await broker.createTopic("limit", 2, limit), await broker.createTopic("letters", 2, limit)];
    const random = crypto.getRandomValues.bind(crypto);
    const noise = (size: number) => {
      const all = new Uint8Array(size);
      for (let at = 0; at < size; at += 65_536) random(all.subarray(at, Math.min(size, at + 65_536)));
      return all;
    };
    {
      await using source = new Topic(from, broker.conf({ "linger.ms": 0, "compression.type": "gzip" }), {
        value: bytes,
      });
      // Both are nearly as large as allowed. The first leaves no room for headers, the second none for the error's text.
      await source.send("full", noise(99_800), { partition: 0 });
      await source.send("nearly", noise(99_400), { partition: 1 });
      await source.send("small", noise(10), { partition: 1 });
      // It is too large for the topic unless it is compressed.
      await source.send("compressed", new Uint8Array(900_000), { partition: 0 });
    }
    const read = await letters(broker, from, to, () => {
      // Random bytes can't be compressed.
      throw new Error(btoa(String.fromCharCode(...noise(750))));
    });
    const found = Object.fromEntries(read.map((letter) => [
      letter.key,
      [letter.value!.length, letter.headers.length, errorOf(letter)?.length],
    ]));
    assert.deepEqual(found, {
      full: [99_800, 0, undefined],
      nearly: [99_400, 5, undefined],
      small: [10, 6, 1007],
      compressed: [900_000, 6, 1007],
    });
  },
);
