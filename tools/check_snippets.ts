/**
 * Type-checks and runs the TypeScript snippets of Markdown files, so that what the pages show keeps working.
 *
 * Every fence of language `ts` is a program of its own, run in an empty folder with all permissions. Where it says
 * `localhost:29091`, it gets a Kafka of its own: a `LocalBroker`. The fence may say more:
 *
 * - `until="text"`: the program does not end by itself. It gets SIGINT as soon as it has printed the text, and must
 *   then end with code 0.
 * - `ignore`: the snippet is not checked. A comment `<!-- ignored: why -->` stands above it.
 *
 * A fence of language `text` directly below a snippet is what the snippet prints, exactly.
 *
 * Usage: `deno run -A tools/check_snippets.ts FILE…`; without a file, all pages. Exits with 1 if a snippet fails.
 *
 * @module
 */

import { LocalBroker } from "@slipstream/slipstream/testing";

const ROOT = new URL("../", import.meta.url).pathname;
/** The address that the pages name, which `compose.yaml` starts a broker on. */
const SHOWN_SERVER = "localhost:29091";
const AT_A_TIME = 2;
const TIMEOUT_MS = 60_000;

/** A snippet of a page. */
export interface Snippet {
  /** The page, as it was given. */
  readonly file: string;
  /** The line of the first line of code, from 1. */
  readonly line: number;
  readonly code: string;
  /** What the program prints before it is stopped. Absent if it ends by itself. */
  readonly until?: string;
  /** What the page says that the program prints. Absent if it says nothing. */
  readonly output?: string;
}

/** The snippets of a page, and what is wrong with the way they are written. */
export interface Page {
  readonly snippets: readonly Snippet[];
  readonly problems: readonly string[];
}

/** Finds the snippets of a page. */
export function parsePage(file: string, text: string): Page {
  const lines = text.split("\n");
  const snippets: Snippet[] = [], problems: string[] = [];
  for (let index = 0; index < lines.length; index++) {
    const fence = /^( *)```(\w*)(.*)$/.exec(lines[index]!);
    if (fence === null) continue;
    const [, indent, language, info] = fence as unknown as [string, string, string, string];
    const end = lines.indexOf(`${indent}\`\`\``, index + 1);
    if (end < 0) {
      problems.push(`${file}:${index + 1}: the fence has no end`);
      break;
    }
    const line = index + 2;
    const code = lines.slice(index + 1, end).map((text) => text.slice(indent.length)).join("\n");
    if (language === "ts") {
      const until = /until="([^"]*)"/.exec(info)?.[1];
      const unknown = info.replace(/until="[^"]*"/, "").replace(/\bignore\b/, "").trim();
      if (unknown !== "") problems.push(`${file}:${line - 1}: a fence can't say ${unknown}`);
      if (!/\bignore\b/.test(info)) {
        const output = outputBelow(lines, end + 1);
        snippets.push({
          file,
          line,
          code,
          ...(until === undefined ? {} : { until }),
          ...(output === undefined ? {} : { output }),
        });
      } else if (!/<!-- ignored: .+ -->/.test(lines.slice(Math.max(0, index - 2), index).join("\n"))) {
        problems.push(`${file}:${line - 1}: say why in a comment above: <!-- ignored: why -->`);
      }
    }
    index = end;
  }
  return { snippets, problems };
}

/** The text of a fence of language `text` that follows. */
function outputBelow(lines: readonly string[], from: number): string | undefined {
  let index = from;
  while (lines[index]?.trim() === "") index++;
  if (lines[index]?.trim() !== "```text") return undefined;
  const indent = lines[index]!.length - lines[index]!.trimStart().length;
  const end = lines.findIndex((line, at) => at > index && line.trim() === "```");
  return lines.slice(index + 1, end).map((line) => line.slice(indent)).join("\n");
}

/** Whether what a program has printed is what its page shows; blanks at the ends of lines do not count. */
export function isSame(printed: string, shown: string): boolean {
  const clean = (text: string) => text.split("\n").map((line) => line.trimEnd()).join("\n").trim();
  return clean(printed) === clean(shown);
}

/** Checks pages; returns what is wrong, one text each. */
export async function checkPages(files: readonly string[]): Promise<string[]> {
  const pages = await Promise.all(files.map(async (file) => parsePage(file, await Deno.readTextFile(file))));
  const problems = pages.flatMap(({ problems }) => problems);
  const folder = await Deno.makeTempDir({ prefix: "snippets-" });
  try {
    const programs = await Promise.all(
      pages.flatMap(({ snippets }) => snippets).map(async (snippet) => {
        // Errors name the line of the page.
        const path = `${folder}/${snippet.file.replaceAll(/[^\w.]/g, "_")}.${snippet.line}.ts`;
        await Deno.writeTextFile(path, `${"\n".repeat(snippet.line - 1)}${snippet.code}\n`);
        return { snippet, path };
      }),
    );
    if (programs.length > 0) {
      const { success, stderr } = await deno(["check", ...flags(), ...programs.map(({ path }) => path)]);
      if (!success) return [...problems, stderr];
    }
    const waiting = [...programs];
    await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const problem = await runSnippet(next.snippet, next.path, await Deno.makeTempDir({ dir: folder }));
        if (problem !== undefined) problems.push(`${next.snippet.file}:${next.snippet.line}: ${problem}`);
      }
    }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return problems;
}

const flags = () => ["--quiet", `--config=${ROOT}deno.json`, "--frozen"];

async function deno(args: readonly string[]): Promise<{ success: boolean; stderr: string }> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args: [...args], env: { NO_COLOR: "1" } })
    .output();
  return { success, stderr: new TextDecoder().decode(stderr) };
}

/** Runs a snippet; returns what is wrong with it. */
async function runSnippet({ code, until, output }: Snippet, path: string, cwd: string): Promise<string | undefined> {
  await using broker = code.includes(SHOWN_SERVER) ? await LocalBroker.start() : undefined;
  if (broker !== undefined) {
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.replaceAll(SHOWN_SERVER, broker.bootstrapServers));
  }
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", ...flags(), path],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timeout = setTimeout(() => process.kill("SIGKILL"), TIMEOUT_MS);
  let printed = "", isStopped = false;
  const reading = (async () => {
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      printed += text;
      if (until !== undefined && !isStopped && printed.includes(until)) {
        isStopped = true;
        process.kill("SIGINT");
      }
    }
  })();
  const [errors, status] = await Promise.all([new Response(process.stderr).text(), process.status, reading]);
  clearTimeout(timeout);
  const all = `${printed}${errors}`.trimEnd();
  if (!status.success) return `exited with ${status.signal ?? status.code}\n${all}`;
  if (until !== undefined && !isStopped) return `ended before it had printed ${JSON.stringify(until)}\n${all}`;
  if (/Assertion failed/.test(errors)) return all;
  if (output !== undefined && !isSame(printed, output)) return `printed\n${printed}\ninstead of\n${output}`;
}

/** All pages that show TypeScript. */
function allPages(): string[] {
  const docs = [...Deno.readDirSync(`${ROOT}docs`)].map(({ name }) => `docs/${name}`);
  return ["README.md", "CONTRIBUTING.md", ...docs.filter((name) => name.endsWith(".md")).sort()];
}

if (import.meta.main) {
  Deno.chdir(ROOT);
  const files = Deno.args.length === 0 ? allPages() : Deno.args;
  const problems = await checkPages(files);
  for (const problem of problems) console.error(`${problem}\n`);
  if (problems.length > 0) Deno.exit(1);
  console.log(`snippets: those of ${files.length} pages run`);
}
