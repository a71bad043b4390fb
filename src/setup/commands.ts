/**
 * Running the system's commands.
 *
 * @module
 */

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
}

/**
 * Runs a command to its end.
 *
 * @returns what it printed on standard output
 * @throws {Error} If it fails: with the last lines it printed.
 */
export async function run(command: string, args: readonly string[], { cwd }: RunOptions = {}): Promise<string> {
  const { success, code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...(cwd === undefined ? {} : { cwd }),
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (success) return out!;
  const tail = `${out}\n${err}`.trim().split("\n").slice(-15).join("\n  ");
  throw new Error(`${[command, ...args].join(" ")} failed (${code}):\n  ${tail}`);
}
