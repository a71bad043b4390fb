import assert from "node:assert/strict";
import { type Notice, onNotice, Topic } from "@slipstream/slipstream";
import { MemoryKafka } from "@slipstream/slipstream/testing";
import { emitNotice } from "../../src/notices/notice.ts";
import { Notices } from "../../src/notices/notices.ts";
import { kafkaWith, newReader, P0, until } from "../support/readers.ts";

/** The notices that a function causes. */
async function noticesOf(run: (notices: readonly Notice[]) => Promise<void> | void): Promise<readonly Notice[]> {
  const notices: Notice[] = [];
  const remove = onNotice((notice) => notices.push(notice));
  try {
    await run(notices);
  } finally {
    remove();
  }
  return notices;
}

/** The lines that a function prints on stderr. */
async function linesOf(run: () => Promise<void> | void): Promise<string[]> {
  const lines: string[] = [];
  const { warn, error } = console;
  console.warn = console.error = (...parts: unknown[]) => lines.push(parts.map(String).join(" "));
  try {
    await run();
  } finally {
    Object.assign(console, { warn, error });
  }
  return lines;
}

const NOTICE: Notice = { code: "broker-lost", text: "no broker", isOver: false };

Deno.test("onNotice() receives notices instead of stderr, until its function is called", async () => {
  const first: Notice[] = [], second: Notice[] = [];
  const lines = await linesOf(() => {
    emitNotice(NOTICE);
    const removeFirst = onNotice((notice) => first.push(notice));
    emitNotice(NOTICE);
    const removeSecond = onNotice((notice) => second.push(notice));
    emitNotice(NOTICE);
    removeFirst();
    emitNotice(NOTICE);
    removeSecond();
    removeSecond();
    emitNotice(NOTICE);
  });
  assert.deepEqual([lines, first.length, second.length], [["slipstream: no broker", "slipstream: no broker"], 1, 2]);
  assert.throws(() => onNotice("print" as never), /onNotice\(\): listener must be a function: string/);
});

Deno.test("a listener of onNotice() that throws or rejects takes nothing down, and the notice is printed", async () => {
  for (const failing of [() => assert.fail("broken"), () => Promise.reject(new Error("broken"))]) {
    const lines = await linesOf(async () => {
      const remove = onNotice(failing);
      emitNotice(NOTICE);
      await new Promise((resolve) => setTimeout(resolve));
      remove();
    });
    assert.equal(lines[0], "slipstream: no broker");
    assert.match(lines[1]!, /^slipstream: the listener of onNotice\(\) has thrown .*broken/);
    assert.equal(lines.length, 2);
  }
});

Deno.test("Notices reports trouble once while it lasts, for each subject, and its end", async () => {
  const notices = await noticesOf(() => {
    const notices = new Notices((text) => text.replaceAll("hunter2", "***"), "t");
    notices.clear("topic-missing", "exists");
    notices.raise("topic-missing", "with hunter2");
    notices.raise("topic-missing", "again");
    notices.raise("advertised-broker-unreachable", "one", { broker: "a:1" });
    notices.raise("advertised-broker-unreachable", "other", { broker: "b:1" });
    notices.clear("topic-missing", "exists");
    notices.clear("topic-missing", "exists");
    notices.raise("topic-missing", "again");
  });
  assert.deepEqual(notices, [
    { code: "topic-missing", text: "with ***", isOver: false, topic: "t" },
    { code: "advertised-broker-unreachable", text: "one", isOver: false, topic: "t", broker: "a:1" },
    { code: "advertised-broker-unreachable", text: "other", isOver: false, topic: "t", broker: "b:1" },
    { code: "topic-missing", text: "exists", isOver: true, topic: "t" },
    { code: "topic-missing", text: "again", isOver: false, topic: "t" },
  ]);
});

Deno.test("Notices reports events each time, but not while they repeat themselves", async () => {
  const notices = await noticesOf(() => {
    const notices = new Notices((text) => text, "a, b");
    for (const text of ["one", "one", "two", "one"]) {
      notices.event("offset-reset", text, { topic: "a", partition: 0 });
      notices.event("offset-reset", text, { topic: "b", partition: 0 });
    }
  });
  const texts = (topic: string) => notices.filter((notice) => notice.topic === topic).map(({ text }) => text);
  assert.deepEqual([texts("a"), texts("b")], [["one", "two", "one"], ["one", "two", "one"]]);
});

Deno.test("the notice commit-refused ends with the next commit that succeeds", async () => {
  using kafka = kafkaWith([1]);
  const notices = await noticesOf(async (notices) => {
    const reader = newReader(kafka, { "group.id": "g", "auto.commit.interval.ms": 1 });
    for (const refusal of [29, 29, 0]) {
      const batch = (await reader.next())!;
      let requests = 0;
      kafka.faults.commit = () => (requests++, refusal);
      batch.done();
      // A consumer commits while it is polled.
      const next = reader.next();
      await until(() => requests > 0);
      kafka.append(P0, { value: "for next" });
      (await next)!.done();
      kafka.append(P0, { value: "for the next round" });
    }
    await until(() => notices.length === 2);
    await reader.close();
  });
  assert.deepEqual(notices.map(({ code, isOver }) => [code, isOver]), [
    ["commit-refused", false],
    ["commit-refused", true],
  ]);
  assert.match(notices[1]!.text, /^Topic "t": offsets are committed again$/);
});

Deno.test("onNotice() receives the notices of all Topics, each with its name", async () => {
  const kafka = new MemoryKafka();
  const names = ["missing-1", "missing-2"];
  const notices = await noticesOf(async (notices) => {
    const topics = names.map((name) =>
      new Topic(name, { "bootstrap.servers": kafka.bootstrapServers }, { offset: "beginning" })
    );
    const reading = topics.map((topic) => topic[Symbol.asyncIterator]().next());
    await until(() => notices.length === 2);
    for (const name of names) {
      kafka.createTopic(name);
      kafka.append({ topic: name, partition: 0 }, { value: "a" });
    }
    await Promise.all(reading);
    for (const topic of topics) await topic.close();
  });
  for (const name of names) {
    const own = notices.filter(({ topic }) => topic === name);
    assert.deepEqual(own.map(({ code, isOver }) => [code, isOver]), [["topic-missing", false], [
      "topic-missing",
      true,
    ]]);
    assert.match(own[0]!.text, new RegExp(`^Topic "${name}" does not exist yet; waiting for it$`));
  }
});
