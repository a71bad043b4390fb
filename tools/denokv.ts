/**
 * Runs a server of remote Deno KV on this machine: Deno's own `denokv`, built by cargo.
 *
 * As a module, it exports `startDenokv()`. As a program:
 *
 * - `deno run -A tools/denokv.ts` starts it, prints its URL, and stops it on SIGINT;
 * - `deno run -A tools/denokv.ts -- COMMAND ARGS…` runs the command with `DENO_KV_URL` and `DENO_KV_ACCESS_TOKEN` set,
 *   stops the server, and exits with the command's code;
 * - `deno run -A tools/denokv.ts --build` builds it and prints its path.
 *
 * Needs cargo for the first run, which takes about five minutes. The program is kept in the user's cache folder.
 *
 * @module
 */

import { join } from "node:path";
import { cacheFolder, freePort, kill, outputOf, runCommand } from "./servers.ts";

/** The version to build. */
const VERSION = "0.14.0";

/** Options of `startDenokv()`. */
export interface DenokvOptions {
  /** The file of its database. @default a new one, which is removed when the server stops */
  readonly path?: string;
  /** Its port on loopback. @default a free one */
  readonly port?: number;
  /** The access token of clients, for their `DENO_KV_ACCESS_TOKEN`; at least 12 characters. */
  readonly token: string;
}

/** A running server. */
export interface Denokv extends AsyncDisposable {
  /** The URL for `new Cache(url)` and `Deno.openKv(url)`. */
  readonly url: string;
  /** Stops it. Idempotent. */
  stop(): Promise<void>;
}

/** Starts a server and resolves when it listens. Builds it if it is not in the cache folder. */
export async function startDenokv(options: DenokvOptions): Promise<Denokv> {
  const program = await buildDenokv();
  const folder = options.path === undefined ? await Deno.makeTempDir({ prefix: "slipstream-denokv-" }) : undefined;
  const port = options.port ?? freePort();
  const child = new Deno.Command(program, {
    args: [
      ...["--sqlite-path", options.path ?? join(folder!, "kv.sqlite")],
      ...["serve", "--addr", `127.0.0.1:${port}`, "--access-token", options.token],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const listening = Promise.withResolvers<void>();
  let log = "";
  const logged = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      log = (log + text).slice(-4_000);
      if (log.includes("Listening on")) listening.resolve();
    }
    listening.reject(new Error(`Cannot start denokv:\n${log}`));
  })();
  let stopping: Promise<void> | undefined;
  const stop = () =>
    stopping ??= (async () => {
      kill(child, "SIGKILL"); // it has no unwritten data
      await Promise.all([child.status, logged]);
      if (folder !== undefined) await Deno.remove(folder, { recursive: true });
    })();
  try {
    await listening.promise;
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}`, stop, [Symbol.asyncDispose]: stop };
}

/** Builds the server if it is not in the cache folder. Resolves with its path. */
export async function buildDenokv(): Promise<string> {
  const folder = join(cacheFolder(), "denokv", VERSION);
  const program = join(folder, "bin", Deno.build.os === "windows" ? "denokv.exe" : "denokv");
  if (await Deno.stat(program).then(() => true, () => false)) return program;
  console.error(`Building denokv ${VERSION} with cargo; this takes some minutes, once`);
  // cargo moves the finished program into place in one step, and locks the folder meanwhile.
  const command = new Deno.Command("cargo", {
    args: ["install", "denokv", "--version", VERSION, "--locked", "--quiet", "--root", folder],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  });
  const result = await outputOf(command);
  if (result === undefined) {
    throw new Error("Cannot build denokv: cargo is not installed (https://rustup.rs, brew install rust)");
  }
  if (!result.success) throw new Error("Cannot build denokv: cargo has failed; its output is above");
  return program;
}

async function main(args: string[]): Promise<number> {
  if (args[0] === "--build") {
    console.log(await buildDenokv());
    return 0;
  }
  const token = crypto.randomUUID();
  return await runCommand(args, {
    name: "denokv",
    start: () => startDenokv({ token }),
    print: ({ url }) => `${url} (DENO_KV_ACCESS_TOKEN=${token})`,
    env: ({ url }) => ({ DENO_KV_URL: url, DENO_KV_ACCESS_TOKEN: token }),
  });
}

if (import.meta.main) Deno.exit(await main(Deno.args));
