/**
 * Checks `src/ffi/UNBOUND.md`: every function that rdkafka.h exports must be either in the symbol table or on that page,
 * below a reason.
 *
 * Usage: `deno run -A tools/check_unbound.ts`. Prints a line for each problem, and exits with 1 if there are any.
 *
 * @module
 */

import { boundOf } from "./check_contract.ts";
import { readHeader } from "./check_symbols.ts";
import { readSource } from "./librdkafka_source.ts";

/**
 * Returns a line for each problem of a page.
 *
 * @param page Headings that are reasons, with lists of names below them. A name that ends with `*` stands for all names
 * that begin with it.
 * @param exported The functions that the header exports.
 * @param bound The functions in the symbol table.
 */
export function checkUnbound(page: string, exported: Iterable<string>, bound: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  const patterns = readPatterns(page, problems);
  const names = [...exported];
  const used = new Set<string>();
  for (const name of names) {
    const matching = patterns.filter((pattern) => matches(pattern, name));
    for (const pattern of matching) used.add(pattern);
    if (bound.has(name)) {
      for (const pattern of matching) problems.push(`${name} is bound, but the page lists ${pattern}`);
    } else if (matching.length === 0) problems.push(`${name} is neither bound nor on the page`);
    else if (matching.length > 1) problems.push(`${name} is on the page twice: ${matching.join(", ")}`);
  }
  for (const pattern of patterns) if (!used.has(pattern)) problems.push(`${pattern} is not in the header`);
  return problems;
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** The names in the lists: those at the beginning of an entry, before a colon and a remark. */
function readPatterns(page: string, problems: string[]): string[] {
  const patterns: string[] = [];
  for (const section of page.split(/^## /m).slice(1)) {
    const reason = section.slice(0, section.indexOf("\n")).trim();
    const entries = section.split(/^- /m).slice(1).map((entry) => entry.split(/:\s|\n\n/, 1)[0]!);
    const found = entries.flatMap((entry) => [...entry.matchAll(/`(rd_kafka_\w+\*?)`/g)].map((match) => match[1]!));
    if (found.length === 0) problems.push(`"${reason}" has no list`);
    if (reason === "" && found.length > 0) problems.push(`${found[0]} and the names after it have no reason`);
    patterns.push(...found);
  }
  return patterns;
}

if (import.meta.main) {
  const room = new URL("../src/ffi/", import.meta.url);
  const [page, table, header] = await Promise.all([
    Deno.readTextFile(new URL("UNBOUND.md", room)),
    Deno.readTextFile(new URL("symbols.ts", room)),
    readSource("src/rdkafka.h"),
  ]);
  const { functions } = readHeader(header), bound = boundOf(table);
  const problems = checkUnbound(page, functions.keys(), new Set(bound.keys()));
  for (const problem of problems) console.error(`src/ffi/UNBOUND.md: ${problem}`);
  if (problems.length > 0) Deno.exit(1);
  const count = [...functions.keys()].filter((name) => bound.has(name)).length;
  console.log(`src/ffi/UNBOUND.md: ${count} of ${functions.size} functions are bound, the others have a reason`);
}
