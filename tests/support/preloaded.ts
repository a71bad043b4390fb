/**
 * Programs among whose C functions is one of a test's own.
 *
 * @module
 */

import { join } from "node:path";
import { has, run } from "../../src/setup/commands.ts";

/** Whether a C library can be put before others here: on Linux, where there is a compiler. */
export const PRELOADS: boolean = Deno.build.os === "linux" && has("cc");

/** Runs a JavaScript program with a library of this C source loaded before all others. */
export async function runPreloaded(
  source: string,
  program: string,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const dir = await Deno.makeTempDir();
  try {
    const [c, library, script] = ["own.c", "own.so", "program.js"].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    await Deno.writeTextFile(c, source);
    await run("cc", ["-shared", "-fPIC", "-o", library, c, "-ldl"]);
    await Deno.writeTextFile(script, program);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", new URL("../../deno.json", import.meta.url).pathname, script],
      env: { LD_PRELOAD: library },
    }).output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
    return { code, out, err };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
