/**
 * Compares `src/ffi/symbols.ts` with librdkafka's headers, and with the exports of the oldest usable library:
 * `tools/symbols_<version>.txt`, the names that `nm -D --defined-only` prints for a build of it.
 *
 * The compiler does not find a wrong type in the symbol table: on some machine it cuts a value in half, or crashes the
 * process. So each entry has its C declaration above it, which must agree with the header and with the FFI types.
 *
 * Usage: `deno run -A tools/check_symbols.ts`. Prints a line for each difference, and exits with 1 if there are any.
 *
 * @module
 */

import { FLOOR_VERSION } from "../src/ffi/versions.ts";
import { readSource } from "./librdkafka_source.ts";

/** A C function's declaration. The spelling of its types is normalized. */
export interface Declaration {
  readonly result: string;
  readonly parameters: readonly string[];
}

/** The content of a header. */
export interface Header {
  readonly functions: ReadonlyMap<string, Declaration>;
  /** The FFI type of each name for an integer type. */
  readonly integers: ReadonlyMap<string, string>;
}

/** One entry of the table. */
interface Entry {
  readonly line: number;
  readonly key: string;
  readonly comment: string;
  readonly body: string;
}

/**
 * Returns a line for each difference between a symbol table and the headers.
 *
 * @param tableSource The TypeScript source that has `SYMBOLS = { … }`.
 * @param headers The text of the C headers.
 * @param oldest The names of the functions that the oldest usable library exports.
 */
export function compareSymbols(
  tableSource: string,
  headers: readonly string[],
  oldest: ReadonlySet<string>,
): string[] {
  const header = readHeader(headers.join("\n"));
  const differences: string[] = [];
  for (const entry of readTable(tableSource)) {
    const differ = (what: string) => differences.push(`line ${entry.line}: ${entry.key}: ${what}`);
    const name = /\bname:\s*"(\w+)"/.exec(entry.body)?.[1] ?? entry.key;
    const expected = header.functions.get(name);
    if (expected === undefined) {
      differ(`${name} is not in the headers`);
      continue;
    }
    const declared = readDeclaration(entry.comment);
    if (declared === undefined) differ("has no C declaration above it");
    else if (declared.name !== name) differ(`the declaration above it is of ${declared.name}`);
    else if (show(name, declared) !== show(name, expected)) {
      differ(`the declaration above it is "${show(name, declared)}", the header has "${show(name, expected)}"`);
    }

    const result = /\bresult:\s*"(\w+)"/.exec(entry.body)?.[1] ?? "nothing";
    const resultTypes = ffiTypes(expected.result, header.integers);
    if (!resultTypes.includes(result)) {
      differ(`result is ${result}, "${expected.result}" is ${resultTypes.join(" or ")}`);
    }

    const parameters = [...(/\bparameters:\s*\[([^\]]*)\]/.exec(entry.body)?.[1] ?? "").matchAll(/"(\w+)"/g)]
      .map((match) => match[1]!);
    if (parameters.length !== expected.parameters.length) {
      differ(`has ${parameters.length} parameters, the header has ${expected.parameters.length}`);
    } else {
      expected.parameters.forEach((type, i) => {
        const types = ffiTypes(type, header.integers);
        if (!types.includes(parameters[i]!)) {
          differ(`parameter ${i + 1} is ${parameters[i]}, "${type}" is ${types.join(" or ")}`);
        }
      });
    }

    if (!oldest.has(name)) differ("the oldest usable library does not export it");
  }
  return differences;
}

/** The entries of the table. Text that it does not understand is an error: no entry is skipped. */
function* readTable(source: string): Generator<Entry> {
  const start = /\bSYMBOLS\s*=\s*\{/.exec(source);
  if (start === null) throw new Error("Cannot read the table: it has no `SYMBOLS = {`");
  let at = start.index + start[0].length;
  let comment = "";
  const lineAt = (index: number) => source.slice(0, index).split("\n").length;
  const token = /\s+|,|(?<comment>\/\*[\s\S]*?\*\/|(?:\/\/.*\n[ \t]*)+)|(?<key>\w+)\s*:\s*(?=\{)|(?<end>\})/y;
  for (;;) {
    token.lastIndex = at;
    const match = token.exec(source);
    if (match === null) throw new Error(`Cannot read the table: unexpected text at line ${lineAt(at)}`);
    const { comment: text, key, end } = match.groups!;
    if (end !== undefined) return;
    const line = lineAt(at);
    at = token.lastIndex;
    if (text !== undefined) comment = text;
    if (key === undefined) continue;
    let depth = 0;
    const bodyStart = at;
    do {
      if (at >= source.length) throw new Error(`Cannot read the table: ${key} at line ${line} has no end`);
      if (source[at] === "{") depth++;
      if (source[at] === "}") depth--;
      at++;
    } while (depth > 0);
    yield { line, key, comment, body: source.slice(bodyStart, at) };
    comment = "";
  }
}

/** The exported functions and the names of integer types in a header. */
export function readHeader(text: string): Header {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, " ").replace(/\/\/.*$/gm, " ")
    .replace(/^[ \t]*#(?:.*\\\n)*.*$/gm, " ");
  const functions = new Map<string, Declaration>();
  for (const [, declaration] of code.matchAll(/\bRD_EXPORT\b([^;]*);/g)) {
    const read = readDeclaration(declaration!.replace(/\bRD_DEPRECATED\b|\bRD_FORMAT\s*\([^)]*\)/g, " "));
    if (read !== undefined) functions.set(read.name, read);
  }
  const integers = new Map(Object.entries(INTEGERS));
  // To a C compiler an enum without negative values is unsigned. Its values fit an i32 as well.
  for (const [, name] of code.matchAll(/\btypedef\s+enum\b[^{};]*\{[^}]*\}\s*(\w+)\s*;/g)) integers.set(name!, "i32");
  for (const [, type, name] of code.matchAll(/\btypedef\s+(u?int(?:\d+_t)?|s?size_t)\s+(\w+)\s*;/g)) {
    if (integers.has(type!)) integers.set(name!, integers.get(type!)!);
  }
  return { functions, integers };
}

/** Reads `type name(type name, …)`, which may stand in a comment. */
function readDeclaration(text: string): (Declaration & { name: string }) | undefined {
  const line = text.replace(/^\s*\/\*+|\*+\/\s*$/g, " ").replace(/^\s*\/\//gm, " ")
    // Removes the star that begins a line of a comment, not that of a pointer type after a line break.
    .replace(/^\s*\* /gm, " ").replace(/`/g, " ").replace(/\s+/g, " ").replace(/; ?$/, "").trim();
  const match = /^([\w\s*]+?[\s*])(\w+) ?\((.*)\)$/.exec(line);
  if (match === null) return undefined;
  const parameters = splitParameters(match[3]!).map(typeOf).filter((type, _i, all) =>
    all.length > 1 || type !== "void"
  );
  return { name: match[2]!, result: spell(match[1]!), parameters };
}

/** Splits at the commas that are outside parentheses. */
function splitParameters(text: string): string[] {
  const parts: string[] = [""];
  let depth = 0;
  for (const char of text) {
    if (char === "(") depth++;
    if (char === ")") depth--;
    if (char === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** A parameter's type, without its name. */
function typeOf(parameter: string): string {
  if (/\(\s*\*/.test(parameter)) return spell(parameter.replace(/\(\s*\*\s*\w*\s*\)/, "(*)"));
  const array = /\[[^\]]*\]\s*$/.test(parameter);
  const text = parameter.replace(/\[[^\]]*\]\s*$/, "");
  const words = text.match(/\w+/g)?.filter((word) => !/^(const|struct|enum|unsigned)$/.test(word)) ?? [];
  const unnamed = words.length < 2 || /\*\s*$/.test(text);
  return spell((unnamed ? text : text.replace(/\w+\s*$/, "")) + (array ? "*" : ""));
}

/** Normalizes the spelling of a type, such as `const char **`. */
function spell(type: string): string {
  return type.replace(/\s+/g, " ").replace(/ ?\* ?/g, "*").replace(/(?<!\*)\*/, " *").replace(/ ?([(),]) ?/g, "$1")
    .trim();
}

function show(name: string, { result, parameters }: Declaration): string {
  return `${result}${result.endsWith("*") ? "" : " "}${name}(${parameters.join(", ") || "void"})`;
}

const INTEGERS = {
  "int": "i32",
  "unsigned": "u32",
  "unsigned int": "u32",
  "int8_t": "i8",
  "uint8_t": "u8",
  "int16_t": "i16",
  "uint16_t": "u16",
  "int32_t": "i32",
  "uint32_t": "u32",
  "int64_t": "i64",
  "uint64_t": "u64",
  "size_t": "usize",
  "ssize_t": "isize",
  "double": "f64",
} as const;

/** The FFI types that are right for a C type. */
function ffiTypes(type: string, integers: ReadonlyMap<string, string>): readonly string[] {
  // An address may also be a u64, which makes no pointer object.
  if (type.includes("*")) return ["pointer", "buffer", "u64", "usize"];
  if (type === "void") return ["void"];
  const integer = integers.get(type.replace(/\bconst\b|\benum\b/g, "").trim());
  return integer === undefined ? ["an unknown type"] : [integer];
}

if (import.meta.main) {
  const root = new URL("../", import.meta.url);
  const path = "src/ffi/symbols.ts";
  const [table, oldest, ...headers] = await Promise.all([
    Deno.readTextFile(new URL(path, root)),
    Deno.readTextFile(new URL(`tools/symbols_${FLOOR_VERSION.replaceAll(".", "_")}.txt`, root)),
    readSource("src/rdkafka.h"),
    readSource("src/rdkafka_mock.h"),
  ]);
  const differences = compareSymbols(table, headers, new Set(oldest.trim().split("\n")));
  for (const difference of differences) console.error(`${path}: ${difference}`);
  if (differences.length > 0) Deno.exit(1);
  console.log(`${path}: agrees with the headers`);
}
