/**
 * Runs test files, each in its own process and four at a time, since most tests wait rather than compute.
 *
 * `deno test --parallel` is not used, because it runs the files as threads of one process. When one of them starts a child
 * process, the child holds the ports of all of them open until it runs its program. librdkafka's mock cluster, which closes
 * a port and binds it again, then ends the process.
 *
 * Usage: `deno run -A tools/test.ts [--except PATH]… [OPTION…] [PATH…]`; without a path, all of `tests` and `examples`
 * that needs neither a lock file of its own nor much memory. `--except` leaves a folder or a file out. Options are those
 * of `deno test`, such as `--filter=NAME`; with `--watch`, one process runs all the files, and again whenever one of
 * their modules changes. Exits with 1 if a test fails, or if a path that is left out does not exist.
 *
 * @module
 */

/** The tests that have tasks of their own. */
const SEPARATE = ["tests/schema_registry", "tests/remote", "tests/memory", "tests/simulation/mutants_test.ts"];
const CONCURRENT_FILES = 4;

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** The test files in a folder and its subfolders, sorted; a file by itself. */
export function testFiles(path: string, excluded: readonly string[] = []): string[] {
  const clean = path.replace(/\/+$/, "");
  if (excluded.includes(clean)) return [];
  if (!Deno.statSync(clean).isDirectory) return [clean];
  return [...Deno.readDirSync(clean)]
    .filter(({ name, isDirectory }) => isDirectory || /(^|_)test\.ts$/.test(name))
    .map(({ name }) => `${clean}/${name}`)
    .sort()
    .flatMap((path) => testFiles(path, excluded));
}

/** The counts in the last line of `deno test`. */
export function counts(output: string): { passed: number; failed: number; ignored: number } {
  const last = output.match(/^(?:ok|FAILED) \| .*$/gm)?.at(-1) ?? "";
  const count = (what: string) => Number(new RegExp(`(\\d+) ${what}`).exec(last)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), ignored: count("ignored") };
}

/**
 * Returns the assertion of librdkafka's mock cluster that ended a process, or `undefined`. The mock asserts what a real
 * broker tolerates: line 603 of `rdkafka_mock_cgrp.c` ends the process when a member asks again to join its group while the
 * answer to its first request is pending, as after a cut connection.
 */
export function mockAssertion(output: string): string | undefined {
  return /rdkafka_mock\w*\.c:\d+: \w+: Assertion `.*' failed/.exec(output)?.[0];
}

/** Runs the files and prints the output of each when it has ended. Returns whether all passed. */
async function runAll(files: readonly string[], options: readonly string[]): Promise<boolean> {
  const test = async (...args: string[]) => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", ...options, ...args],
      stdin: "null",
      env: { NO_COLOR: "1" },
    }).output();
    return { success, output: decode(stdout) + decode(stderr) };
  };
  const startedAt = performance.now();
  const checked = await test("--no-run", ...files);
  if (!checked.success) {
    console.error(checked.output);
    return false;
  }
  const waiting = [...files], failed: string[] = [];
  const total = { passed: 0, failed: 0, ignored: 0 };
  await Promise.all(Array.from({ length: CONCURRENT_FILES }, async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      let { success, output } = await test("--no-check", file);
      const assertion = success ? undefined : mockAssertion(output);
      if (assertion !== undefined) {
        console.log(`${file}: the mock cluster ended the process (${assertion}); running the file again`);
        ({ success, output } = await test("--no-check", file));
      }
      console.log(output.trimEnd() + "\n");
      if (!success) failed.push(file);
      for (const [what, count] of Object.entries(counts(output))) total[what as keyof typeof total] += count;
    }
  }));
  for (const file of failed) console.log(`failed: ${file}`);
  console.log(
    `${
      failed.length === 0 ? "ok" : "FAILED"
    } | ${files.length} files | ${total.passed} passed | ${total.failed} failed | ` +
      `${total.ignored} ignored (${Math.round((performance.now() - startedAt) / 1000)}s)`,
  );
  return failed.length === 0;
}

/** Runs the files in one process, and again whenever one of their modules changes. Returns the exit code. */
async function watch(files: readonly string[], options: readonly string[]): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), { args: ["test", "-A", ...options, ...files] }).spawn();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => child.kill(signal));
  return (await child.status).code;
}

/** The test files that the arguments ask for. */
export function filesOf(args: readonly string[]): string[] {
  const paths: string[] = [], except: string[] = [];
  for (let index = 0; index < args.length; index++) {
    if (args[index] === "--except") except.push(args[++index]!.replace(/\/+$/, ""));
    else paths.push(args[index]!);
  }
  // A folder that was renamed must not come back unnoticed.
  for (const path of except) Deno.statSync(path);
  return paths.length === 0
    ? ["tests", "examples"].flatMap((path) => testFiles(path, [...SEPARATE, ...except]))
    : paths.flatMap((path) => testFiles(path, except));
}

/** Whether an argument is an option of `deno test`. */
function isOption(arg: string): boolean {
  return arg.startsWith("-") && arg !== "--except";
}

if (import.meta.main) {
  const options = Deno.args.filter(isOption), files = filesOf(Deno.args.filter((arg) => !isOption(arg)));
  if (options.includes("--watch")) Deno.exit(await watch(files, options));
  Deno.exit(await runAll(files, options) ? 0 : 1);
}
