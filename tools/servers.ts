/**
 * Common parts of the programs in this folder that start a server for tests.
 *
 * @module
 */

import { join } from "node:path";

/** This project's folder in the user's cache folder. */
export function cacheFolder(): string {
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? ".";
  const cache = Deno.build.os === "darwin"
    ? join(home, "Library", "Caches")
    : Deno.build.os === "windows"
    ? Deno.env.get("LOCALAPPDATA") ?? home
    : Deno.env.get("XDG_CACHE_HOME") || join(home, ".cache");
  return join(cache, "slipstream");
}

/** A free port on loopback. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/** Sends a signal to a process. Does nothing if the process has ended. */
export function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

/** What the user must do if Java is missing or too old. */
export const INSTALL_JAVA =
  "install Java 17 or later (apt-get install openjdk-17-jre-headless, brew install openjdk@17)";

/**
 * The major version of the installed Java, such as 17; `undefined` if none is installed.
 */
export async function javaVersion(): Promise<number | undefined> {
  const command = new Deno.Command("java", { args: ["-version"], stdout: "piped", stderr: "piped" });
  const result = await outputOf(command);
  if (!result?.success) return undefined;
  const found = /version "(\d+)/.exec(new TextDecoder().decode(result.stderr));
  return found === null ? undefined : Number(found[1]);
}

/** Runs a command and returns its output; `undefined` if its program is not installed. */
export async function outputOf(command: Deno.Command): Promise<Deno.CommandOutput | undefined> {
  try {
    return await command.output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A server that `runCommand()` starts. */
export interface ServerProgram<S extends AsyncDisposable> {
  /** The server's name in messages. */
  readonly name: string;
  readonly start: () => Promise<S>;
  /** Returns the line that is printed if there is no command. */
  readonly print: (server: S) => string;
  /** Returns the environment variables of the command. */
  readonly env: (server: S) => Record<string, string>;
}

/**
 * Starts a server, runs a command and stops the server. Without a command, the server runs until SIGINT.
 *
 * @param args `--` and the command, or nothing
 * @returns the exit code
 */
export async function runCommand<S extends AsyncDisposable>(
  args: readonly string[],
  { name, start, print, env }: ServerProgram<S>,
): Promise<number> {
  const command = args[0] === "--" ? args.slice(1) : args;
  const startedAt = performance.now();
  // Listens before the server starts: a SIGINT during the start must not leave the server's process behind.
  const interrupted = Promise.withResolvers<number>();
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    if (Deno.build.os !== "windows" || signal === "SIGINT") {
      Deno.addSignalListener(signal, () => interrupted.resolve(code));
    }
  }
  await using server = await start();
  console.error(`${name} runs (up in ${Math.round(performance.now() - startedAt)} ms)`);
  if (command.length === 0) {
    console.log(print(server));
    await interrupted.promise;
    return 0;
  }
  // `deno` is the Deno that runs this program: another or none may be on the PATH.
  const child = new Deno.Command(command[0] === "deno" ? Deno.execPath() : command[0]!, {
    args: command.slice(1),
    env: env(server),
  }).spawn();
  const status = child.status.then(({ code }) => code);
  const code = await Promise.race([status, interrupted.promise.then((code) => (kill(child, "SIGTERM"), code))]);
  await status;
  return code;
}
