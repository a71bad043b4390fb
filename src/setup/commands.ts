/**
 * Runs the system's commands.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

/** Prints a line on stderr. Only `--print-path` prints on stdout. */
export function say(line: string): void {
  console.error(`setup: ${line}`);
}

/** Whether a command is on the PATH. */
export function has(command: string): boolean {
  const folders = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
  return folders.some((folder) => {
    try {
      const { isFile, mode } = Deno.statSync(`${folder}/${command}`);
      return isFile && ((mode ?? 0) & 0o111) !== 0;
    } catch {
      return false;
    }
  });
}

/** Options of `run()`. */
export interface RunOptions {
  /** The working directory. */
  readonly cwd?: string;
  /** Environment variables to set in addition to those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** An array to which the command and its output are appended. */
  readonly log?: string[];
}

/**
 * Runs a command and waits for its end.
 *
 * @returns its standard output
 * @throws {Error} If its exit code is not 0: the message has the last lines of its output.
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { cwd, env, log } = options;
  const { success, code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env: { ...env } }),
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  log?.push(`$ ${[command, ...args].join(" ")}\n${out}${err}`);
  if (success) return out!;
  const tail = `${out}\n${err}`.trim().split("\n").slice(-15).join("\n  ");
  throw new Error(`${[command, ...args].join(" ")} failed (${code}):\n  ${tail}`);
}

/**
 * Runs a module of this package as a program in another process.
 *
 * @returns its standard output, without white space at the ends
 * @throws {Error} If it fails.
 */
export async function runModule(url: string, options: RunOptions = {}): Promise<string> {
  // In a checkout, deno.json maps the imports. A published module has full specifiers, and must not use the lock file of
  // the folder in which it happens to run.
  const flags = url.startsWith("file:")
    ? ["--config", fileURLToPath(new URL("../../deno.json", import.meta.url))]
    : ["--no-lock"];
  return (await run(Deno.execPath(), ["run", "-A", "--quiet", ...flags, url], options)).trim();
}
