import assert from "node:assert/strict";
import { Topic } from "@slipstream/slipstream";
import { startKafka } from "../../tools/kafka.ts";
import { REAL_ONLY } from "../support/brokers.ts";

/** The notices that are printed while a function runs. */
async function noticesDuring(work: () => Promise<unknown>): Promise<string[]> {
  const lines: string[] = [], { warn } = console;
  console.warn = (line: string) => void lines.push(line);
  try {
    await work();
  } finally {
    console.warn = warn;
  }
  return lines;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test(
  "a broker that advertises an unreachable address is named once to a writer and once to a reader",
  REAL_ONLY,
  async () => {
    const port = freePort();
    await using kafka = await startKafka({
      port,
      listeners: { ELSEWHERE: { protocol: "PLAINTEXT" } },
      properties: { "advertised.listeners": `PLAINTEXT://127.0.0.1:${port},ELSEWHERE://127.0.0.1:1` },
    });
    await using fine = new Topic("t", { "bootstrap.servers": kafka.bootstrapServers });
    await fine.send("k", "v");
    const conf = { "bootstrap.servers": kafka.listeners["ELSEWHERE"]!, "message.timeout.ms": 8000 };
    await using writing = new Topic("t", conf);
    await using reading = new Topic("t", conf, { offset: "beginning" });
    const next = reading[Symbol.asyncIterator]().next();
    const lines = await noticesDuring(async () => {
      for (
        const sent of await Promise.allSettled([writing.send("k", "1"), writing.sendBatch([["k", "2"], ["l", "3"]])])
      ) {
        assert.equal(sent.status, "rejected");
        const { reason } = sent as PromiseRejectedResult;
        assert.equal(reason.code, -192);
        assert.match(reason.message, /127\.0\.0\.1:1\b.*can't be reached|127\.0\.0\.1:1 failed: Connection refused/);
      }
    });
    const about = lines.filter((line) =>
      line.includes("advertises a broker at 127.0.0.1:1, which can't be reached from here")
    );
    // One is from the reader, one from the writer.
    assert.equal(about.length, 2, lines.join("\n"));
    for (const line of about) assert.match(line, /Connect to .*Connection refused.*see its advertised\.listeners/);
    await reading.close();
    await next;
  },
);
