/**
 * Holds `src/addon/CONTRACT.md`, the page that says what each method of the addon answers, to the code.
 *
 * The npm client's JavaScript calls the addon by name, so a method that is missing shows only when someone's program
 * gets to it. The page has a row for each, and this fails when
 * - the npm client's `lib/` calls a method on its native half that has no row, or the addon's class lacks it;
 * - a public method of the addon's classes, or an export of the addon, has no row;
 * - a row names a method that no class has, or a C function that is not bound or that nothing calls;
 * - a row names no test, or one that does not exist or does not mention the method.
 *
 * Usage: `deno run -A tools/check_contract.ts`; exits with 1 and one line for each problem.
 *
 * @module
 */

import { join } from "node:path";
import { addon } from "../src/addon/addon.ts";
import { packageFolder } from "../src/setup/package_folder.ts";

/** What the page is compared with. */
export interface Code {
  /** Of each class, the methods that the npm client calls on it. */
  readonly calls: Readonly<Record<string, readonly string[]>>;
  /** Of each class, its public methods. */
  readonly methods: Readonly<Record<string, readonly string[]>>;
  /** The exports of the addon. */
  readonly exports: readonly string[];
  /** The C functions that are bound, each with the keys that the symbol table has for it. */
  readonly bound: ReadonlyMap<string, readonly string[]>;
  /** The text of everything that may call them. */
  readonly callers: string;
  /** The text of a test, `undefined` if there is no such file. */
  readonly test: (path: string) => string | undefined;
}

/** The section of what all clients have. */
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

/** The problems of a page, one line each; none if all is well. */
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
      if (![...own, ...common].includes(method)) problems.push(`${name}: the npm client calls ${method}(): not there`);
    }
  }

  for (const row of rows) {
    const problem = (text: string) => problems.push(`line ${row.line}: ${row.methods.join(", ")}: ${text}`);
    const known = row.section === MODULE
      ? code.exports
      : ["constructor", ...(code.methods[row.section] ?? []), ...common];
    for (const method of row.methods) if (!known.includes(method)) problem(`${row.section} has no ${method}`);
    if (row.answer === "") problem("does not say what it answers");
    for (const name of row.functions) {
      const keys = code.bound.get(name);
      if (keys === undefined) problem(`${name} is not in symbols.ts`);
      else if (!keys.some((key) => mentions(code.callers, key))) problem(`nothing calls ${name}`);
    }
    if (row.tests.length === 0) problem("names no test");
    const texts = row.tests.map((path) => {
      const text = code.test(path);
      if (text === undefined) problem(`there is no ${path}`);
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

/** The rows of the page's tables. Reads strictly: a line of a table that it doesn't understand is a problem. */
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
 * The public methods of the exported classes of a source, with those of their parents, up to `NativeClient`, which has a
 * section of its own. What is tagged `@internal` is between our own files.
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

/** The methods that a source of the npm client calls on its native half. */
export function callsOf(source: string): string[] {
  return [...new Set([...source.matchAll(/\b_client\s*\.\s*(\w+)\s*\(/g)].map((match) => match[1]!))];
}

/** Which class a file of the npm client calls. */
const CLASS_OF: Readonly<Record<string, string>> = {
  "client.js": "Client",
  "kafka-consumer.js": "KafkaConsumer",
  "producer.js": "Producer",
  "admin.js": "AdminClient",
};

/** The C functions that a symbol table has, each with its keys: one function may be there twice, blocking and not. */
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
      // A file that begins to call the native half must be told whose methods it calls.
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
