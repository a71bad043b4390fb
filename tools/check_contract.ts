/**
 * Compares `src/addon/CONTRACT.md`, the page that says what each method of the addon returns, with the code.
 *
 * The npm client's JavaScript calls the addon's methods by name, so a missing one shows only when a program reaches the
 * call. The page has a row for each method. The check fails if
 * - the npm client's `lib/` calls a method that has no row, or that the addon's class lacks;
 * - a public method of the addon's classes, or an export of the addon, has no row;
 * - a row names a method that no class has, or a C function that is not bound or that nothing calls;
 * - a row names no test, or a test that does not exist or does not mention the method.
 *
 * Usage: `deno run -A tools/check_contract.ts`. Prints a line for each problem, and exits with 1 if there are any.
 *
 * @module
 */

import { join } from "node:path";
import { addon } from "../src/addon/addon.ts";
import { packageFolder } from "../src/setup/package_folder.ts";

/** The code with which the page is compared. */
export interface Code {
  /** The methods that the npm client calls, by class. */
  readonly calls: Readonly<Record<string, readonly string[]>>;
  /** The public methods, by class. */
  readonly methods: Readonly<Record<string, readonly string[]>>;
  /** The exports of the addon. */
  readonly exports: readonly string[];
  /** The keys of the symbol table, by the C function that they bind. */
  readonly bound: ReadonlyMap<string, readonly string[]>;
  /** The source of everything that may call C functions. */
  readonly callers: string;
  /** Returns the source of a test; `undefined` if the file does not exist. */
  readonly test: (path: string) => string | undefined;
}

/** The section of the methods that all clients have. */
const COMMON = "Client (common)";
const MODULE = "Module";

interface Row {
  readonly section: string;
  readonly line: number;
  readonly methods: readonly string[];
  readonly functions: readonly string[];
  readonly answer: string;
  readonly tests: readonly string[];
}

/** Returns a line for each problem of a page. */
export function checkContract(page: string, code: Code): string[] {
  const problems: string[] = [];
  const rows = readRows(page, problems);
  const has = (section: string, method: string) =>
    rows.some((row) => row.section === section && row.methods.includes(method));

  for (const [name, methods] of Object.entries(code.methods)) {
    const section = name === "Client" ? COMMON : name;
    for (const method of methods) {
      if (!has(section, method) && !has(COMMON, method)) problems.push(`${section}: ${method}() has no row`);
    }
  }
  for (const name of code.exports) if (!has(MODULE, name)) problems.push(`${MODULE}: ${name} has no row`);
  const common = code.methods.Client ?? [];
  for (const [name, methods] of Object.entries(code.calls)) {
    const own = name === "Client" ? [] : code.methods[name] ?? [];
    for (const method of methods) {
      if (![...own, ...common].includes(method)) {
        problems.push(`${name}: the npm client calls ${method}(), which does not exist`);
      }
    }
  }

  for (const row of rows) {
    const problem = (text: string) => problems.push(`line ${row.line}: ${row.methods.join(", ")}: ${text}`);
    const known = row.section === MODULE
      ? code.exports
      : ["constructor", ...(code.methods[row.section] ?? []), ...common];
    for (const method of row.methods) if (!known.includes(method)) problem(`${row.section} has no ${method}`);
    if (row.answer === "") problem("does not say what it returns");
    for (const name of row.functions) {
      const keys = code.bound.get(name);
      if (keys === undefined) problem(`${name} is not in symbols.ts`);
      else if (!keys.some((key) => mentions(code.callers, key))) problem(`nothing calls ${name}`);
    }
    if (row.tests.length === 0) problem("names no test");
    const texts = row.tests.map((path) => {
      const text = code.test(path);
      if (text === undefined) problem(`${path} does not exist`);
      return text ?? "";
    });
    if (texts.length > 0 && texts.every((text) => text !== "")) {
      for (const method of row.methods) {
        const name = method === "constructor" ? row.section : method;
        if (!texts.some((text) => mentions(text, name))) problem(`no test of the row mentions ${name}`);
      }
    }
  }
  return problems;
}

function mentions(text: string, name: string): boolean {
  return new RegExp(`\\b${name}\\b`).test(text);
}

/** The rows of the page's tables. A line of a table that it does not understand is a problem: no row is skipped. */
function readRows(page: string, problems: string[]): Row[] {
  const rows: Row[] = [];
  let section = "";
  for (const [index, text] of page.split("\n").entries()) {
    section = /^## (.+?)\s*$/.exec(text)?.[1] ?? section;
    if (!text.startsWith("|") || /^\|[\s|:-]*$/.test(text) || /^\|\s*method\s*\|/.test(text)) continue;
    const cells = text.split("|").slice(1, -1).map((cell) => cell.replaceAll("`", "").trim());
    const [methods, functions, answer, tests] = cells;
    if (cells.length !== 4) {
      problems.push(`line ${index + 1}: has ${cells.length} cells, not 4`);
      continue;
    }
    rows.push({
      section,
      line: index + 1,
      methods: list(methods!),
      functions: list(functions!).filter((name) => name !== "none"),
      answer: answer!,
      tests: list(tests!),
    });
  }
  return rows;
}

function list(cell: string): string[] {
  return cell.split(",").map((part) => part.trim()).filter((part) => part !== "");
}

/**
 * The public methods of the exported classes of a source, with those of their parents. `NativeClient` and its methods have
 * a section of their own. Methods with the tag `@internal` are left out.
 */
export function methodsOf(source: string): Record<string, string[]> {
  const own = new Map<string, { parent: string | undefined; methods: Set<string> }>();
  for (
    const [, name, parent, body] of source.matchAll(
      /^export (?:abstract )?class (\w+)(?: extends (\w+))?.*\{\n([^]*?)^\}/gm,
    )
  ) {
    const methods = new Set<string>();
    const member = /(\/\*\*(?:(?!\*\/)[^])*\*\/\n)?^ {2}(?:override )?(\w+)(?:<[^\n]*?>)?\(/gm;
    for (const [, comment = "", method] of body!.matchAll(member)) {
      if (method !== "constructor" && !comment.includes("@internal")) methods.add(method!);
    }
    own.set(name!, { parent, methods });
  }
  const all = (name: string): string[] => {
    const { parent, methods } = own.get(name) ?? { parent: undefined, methods: [] };
    return [...methods, ...parent === undefined || parent === "NativeClient" ? [] : all(parent)];
  };
  return Object.fromEntries([...own.keys()].map((name) => [name, [...new Set(all(name))]]));
}

/** The methods that a source of the npm client calls on its addon. */
export function callsOf(source: string): string[] {
  return [...new Set([...source.matchAll(/\b_client\s*\.\s*(\w+)\s*\(/g)].map((match) => match[1]!))];
}

/** The addon's class whose methods a file of the npm client calls. */
const CLASS_OF: Readonly<Record<string, string>> = {
  "client.js": "Client",
  "kafka-consumer.js": "KafkaConsumer",
  "producer.js": "Producer",
  "admin.js": "AdminClient",
};

/** The keys of a symbol table, by the C function that they bind. A function may have two: for calls that block or not. */
export function boundOf(table: string): Map<string, string[]> {
  const bound = new Map<string, string[]>();
  for (const [, key, body] of table.matchAll(/^ {2}(rd_kafka_\w+): \{([^}]*)\}/gm)) {
    const name = /\bname: "(\w+)"/.exec(body!)?.[1] ?? key!;
    bound.set(name, [...bound.get(name) ?? [], key!]);
  }
  return bound;
}

if (import.meta.main) {
  const root = new URL("../", import.meta.url);
  const room = new URL("src/addon/", root), ffi = new URL("src/ffi/", root);
  const lib = join(await packageFolder(), "lib");
  const calls: Record<string, string[]> = {};
  for (const folder of [lib, join(lib, "producer"), join(lib, "kafkajs")]) {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (!isFile || !name.endsWith(".js")) continue;
      const found = callsOf(await Deno.readTextFile(join(folder, name)));
      // A file without an entry in CLASS_OF is reported under its own name.
      if (found.length > 0) (calls[CLASS_OF[name] ?? name] ??= []).push(...found);
    }
  }
  let sources = "";
  for (const folder of [room, ffi]) {
    for await (const { name } of Deno.readDir(folder)) {
      if (name.endsWith(".ts") && name !== "symbols.ts") sources += await Deno.readTextFile(new URL(name, folder));
    }
  }
  const classes = methodsOf(sources);
  const { NativeClient: Client = [], KafkaConsumer = [], Producer = [], AdminClient = [], TopicHandle: Topic = [] } =
    classes;
  const problems = checkContract(await Deno.readTextFile(new URL("CONTRACT.md", room)), {
    calls,
    methods: { Client, KafkaConsumer, Producer, AdminClient, Topic },
    exports: Object.keys(addon),
    bound: boundOf(await Deno.readTextFile(new URL("symbols.ts", ffi))),
    callers: sources,
    test: (path) => {
      try {
        return Deno.readTextFileSync(new URL(path, root));
      } catch {
        return undefined;
      }
    },
  });
  for (const problem of problems) console.error(`src/addon/CONTRACT.md: ${problem}`);
  if (problems.length > 0) Deno.exit(1);
  const count = new Set(Object.values(calls).flat()).size;
  console.log(`src/addon/CONTRACT.md: has every method, and the ${count} that the npm client calls`);
}
