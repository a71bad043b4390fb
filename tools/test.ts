/**
 * Runs test files, each in a process of its own, four at a time: most tests wait rather than compute.
 *
 * `deno test --parallel` would run them as threads of one process. A process that one of them starts has open, until it
 * runs its own program, what the others have open: librdkafka's mock cluster ends the process when it can't bind to a
 * port that it has just closed.
 *
 * Usage: `deno run -A tools/test.ts [--except PATH]… [PATH…]`; without a path, all of `tests` and `examples` that needs
 * neither a lock file of its own nor much memory. `--except` leaves a folder or a file out. Exits with 1 if a test
 * fails, or if a path that is left out does not exist.
 *
 * @module
 */

/** Tests that have tasks of their own. */
const APART = ["tests/schema_registry", "tests/remote", "tests/memory", "tests/simulation/mutants_test.ts"];
const AT_A_TIME = 4;

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** The test files below a path, or the file itself, in order. */
export function testFiles(path: string, apart: readonly string[] = []): string[] {
  const clean = path.replace(/\/+$/, "");
  if (apart.includes(clean)) return [];
  if (!Deno.statSync(clean).isDirectory) return [clean];
  return [...Deno.readDirSync(clean)]
    .filter(({ name, isDirectory }) => isDirectory || /(^|_)test\.ts$/.test(name))
    .map(({ name }) => `${clean}/${name}`)
    .sort()
    .flatMap((path) => testFiles(path, apart));
}

/** What the last line of `deno test` counts. */
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
  return /^\*\*\* (rdkafka_mock\w*\.c:\d+:\w+: assert: .*) \*\*\*$/m.exec(output)?.[1];
}

/** Runs the files and prints what each prints when it has ended; whether all passed. */
async function runAll(files: readonly string[]): Promise<boolean> {
  const test = async (...args: string[]) => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", ...args],
      stdin: "null",
      env: { NO_COLOR: "1" },
    }).output();
    return { success, output: decode(stdout) + decode(stderr) };
  };
  const began = performance.now();
  const checked = await test("--no-run", ...files);
  if (!checked.success) {
    console.error(checked.output);
    return false;
  }
  const waiting = [...files], failed: string[] = [];
  const total = { passed: 0, failed: 0, ignored: 0 };
  await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
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
      `${total.ignored} ignored (${Math.round((performance.now() - began) / 1000)}s)`,
  );
  return failed.length === 0;
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
    ? ["tests", "examples"].flatMap((path) => testFiles(path, [...APART, ...except]))
    : paths.flatMap((path) => testFiles(path, except));
}

if (import.meta.main) Deno.exit(await runAll(filesOf(Deno.args)) ? 0 : 1);
