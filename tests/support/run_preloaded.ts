/**
 * Runs programs in which a test replaces C functions, by `LD_PRELOAD`.
 *
 * @module
 */

import { join } from "node:path";
import { has, run } from "../../src/setup/commands.ts";

/** Whether this machine can preload a library: it runs Linux and has a C compiler. */
export const CAN_PRELOAD: boolean = Deno.build.os === "linux" && has("cc");

/** Runs a JavaScript program with a library preloaded that is compiled from C source. */
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
