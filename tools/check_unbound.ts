/**
 * Holds `src/ffi/UNBOUND.md`: every function that rdkafka.h exports is either in the symbol table or on that
 * page, under a reason.
 *
 * Usage: `deno run -A tools/check_unbound.ts`; exits with 1 and one line for each problem.
 *
 * @module
 */

import { boundOf } from "./check_contract.ts";
import { readHeader } from "./check_symbols.ts";
import { readSource } from "./librdkafka_source.ts";

/**
 * The problems of a page, one line each; none if all is well.
 *
 * @param page Headings that are reasons, and lists of names below them; one that ends with `*` stands for all that
 * begin so.
 * @param exported The functions that the header exports.
 * @param bound Those that are in the symbol table.
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
      for (const pattern of matching) problems.push(`${name} is bound, and ${pattern} says that it is not`);
    } else if (matching.length === 0) problems.push(`${name} is neither bound nor on the page`);
    else if (matching.length > 1) problems.push(`${name} is there twice: ${matching.join(", ")}`);
  }
  for (const pattern of patterns) if (!used.has(pattern)) problems.push(`${pattern} is not in the header`);
  return problems;
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** The names that the lists have: those at the beginning of an entry, before a colon and what it says of them. */
function readPatterns(page: string, problems: string[]): string[] {
  const patterns: string[] = [];
  for (const section of page.split(/^## /m).slice(1)) {
    const reason = section.slice(0, section.indexOf("\n")).trim();
    const entries = section.split(/^- /m).slice(1).map((entry) => entry.split(/:\s|\n\n/, 1)[0]!);
    const found = entries.flatMap((entry) => [...entry.matchAll(/`(rd_kafka_\w+\*?)`/g)].map((match) => match[1]!));
    if (found.length === 0) problems.push(`"${reason}" lists nothing`);
    if (reason === "" && found.length > 0) problems.push(`${found[0]} and what follows are listed without a reason`);
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
