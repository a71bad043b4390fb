/**
 * Running the system's commands.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

/** Says something to whoever runs setup. Standard output is kept for what `--print-path` prints. */
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

/** How a command is run. */
export interface RunOptions {
  /** The folder it runs in. */
  readonly cwd?: string;
  /** Variables it gets besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where to add all that it prints. */
  readonly log?: string[];
}

/**
 * Runs a command to its end.
 *
 * @returns what it printed on standard output
 * @throws {Error} If it fails: with the last lines it printed.
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
 * Runs a module of this package as a program of its own.
 *
 * @returns what it printed on standard output
 * @throws {Error} If it fails.
 */
export async function runModule(url: string, options: RunOptions = {}): Promise<string> {
  // In a checkout deno.json maps what is imported; a published module says so itself, and the lock file of the folder
  // it happens to run in is not its own.
  const flags = url.startsWith("file:")
    ? ["--config", fileURLToPath(new URL("../../deno.json", import.meta.url))]
    : ["--no-lock"];
  return (await run(Deno.execPath(), ["run", "-A", "--quiet", ...flags, url], options)).trim();
}
