/**
 * Runs a program in a process of its own, and reads what it has measured.
 *
 * @module
 */

import assert from "node:assert/strict";

/** What a program may call: `measure()`, after which it prints its findings as JSON. */
const PRELUDE = `
  import { loadKafkaJavascript } from "ROOT/src/addon/load_kafka_javascript.ts";
  import { LocalBroker } from "ROOT/src/testing/mod.ts";
  import { handle, stream, Topic } from "ROOT/mod.ts";

  const MiB = 2 ** 20;
  const entries = (folder) => [...Deno.readDirSync(folder)].map(({ name }) => name);

  /** What this process holds now, garbage collected. */
  async function measure() {
    // Finalizers run between turns, and free what the next collection finds.
    for (let n = 0; n < 3; n++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { rss, heapUsed, external } = Deno.memoryUsage();
    // librdkafka names its threads; Deno's own come and go.
    const names = entries("/proc/self/task").map((id) => {
      try {
        return Deno.readTextFileSync("/proc/self/task/" + id + "/comm").trim();
      } catch {
        return ""; // it has ended meanwhile
      }
    });
    return {
      rss: rss / MiB,
      heap: (heapUsed + external) / MiB,
      files: entries("/proc/self/fd").length,
      threads: names.filter((name) => name.startsWith("rdk:")).length,
    };
  }
`;

/** What a process held at one time: megabytes, open files, librdkafka's threads. */
export interface Measure {
  readonly rss: number;
  readonly heap: number;
  readonly files: number;
  readonly threads: number;
}

/** Why these tests do nothing here; `undefined` where they run. */
export const SKIPPED: string | undefined = Deno.build.os === "linux" ? undefined : "needs Linux's /proc/self";

/** Runs a program, whose last expression printed by `console.log` is JSON; answers that. */
export async function measured<T>(code: string): Promise<T> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  const root = new URL("../../", import.meta.url);
  try {
    await Deno.writeTextFile(file, (PRELUDE + code).replaceAll("ROOT/", root.href));
    const { code: status, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "--v8-flags=--expose-gc",
        "--config",
        new URL("deno.json", root).pathname,
        file,
      ],
    }).output();
    const errors = new TextDecoder().decode(stderr);
    assert.equal(status, 0, errors);
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(file);
  }
}
