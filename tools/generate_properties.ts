/**
 * Generates `src/topic/conf/properties.ts` from librdkafka's `CONFIGURATION.md`, which is generated from a table in C.
 *
 * Usage: `deno run -A tools/generate_properties.ts` writes the file. With `--check` it writes nothing, and exits with 1 if
 * the file differs from what it would write.
 *
 * @module
 */

import { readSource } from "./librdkafka_source.ts";

const PATH = "src/topic/conf/properties.ts";

const HEADER = `// deno-fmt-ignore-file: one line a property
/**
 * librdkafka's configuration properties: their names, and what a value may be.
 *
 * Generated from librdkafka's CONFIGURATION.md by \`tools/generate_properties.ts\`; change that file, not this one.
 *
 * @module
 */

/** What is known of a configuration property. */
export interface Property {
  /** Who reads it: consumers (\`C\`), producers (\`P\`), or both (\`*\`). */
  readonly scope: "C" | "P" | "*";
  /** Where librdkafka keeps it. A property that exists at both levels is listed as global. */
  readonly level: "global" | "topic";
  /** The kind of value. \`api\` is for a pointer or callback, which cannot be given as text. */
  readonly type: "string" | "integer" | "float" | "boolean" | "enum" | "flags" | "patterns" | "api";
  /** The least number allowed. */
  readonly min?: number;
  /** The greatest number allowed. */
  readonly max?: number;
  /** The words allowed, or for \`flags\` those that a comma-separated list may have. */
  readonly values?: readonly string[];
  /** The default of a number. */
  readonly default?: number;
  /** The property that this is another name of. */
  readonly aliasOf?: string;
}

/** The properties by name. */
export const PROPERTIES: ReadonlyMap<string, Property> = new Map<string, Property>([
`;

const TYPES: Readonly<Record<string, string>> = {
  "string": "string",
  "integer": "integer",
  "float": "float",
  "boolean": "boolean",
  "enum value": "enum",
  "CSV flags": "flags",
  "pattern list": "patterns",
  "see dedicated API": "api",
};

/**
 * Generates the source of `properties.ts`.
 *
 * @param configuration The text of `CONFIGURATION.md`.
 * @throws {Error} If a row has an unknown type, or if there are no rows.
 */
export function generateProperties(configuration: string): string {
  const lines = new Map<string, string>();
  let level = "";
  for (const row of configuration.split("\n")) {
    const heading = /^## (Global|Topic) configuration properties/.exec(row);
    if (heading !== null) level = heading[1]!.toLowerCase();
    // A bar inside a cell has a backslash before it.
    const cells = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    if (level === "" || cells.length < 6 || cells[0] === "Property" || /^-+$/.test(cells[0]!)) continue;
    const [name, scope, range, defaultText] = cells as [string, string, string, string];
    const description = cells.slice(5).join("|");
    const type = TYPES[/\*Type: ([^*]+)\*\s*$/.exec(description)?.[1] ?? ""];
    if (type === undefined) throw new Error(`Cannot read CONFIGURATION.md: ${name} has an unknown type`);
    // If a name is in both tables, librdkafka takes the global property.
    if (lines.has(name)) continue;

    const fields = [`scope: ${JSON.stringify(scope)}`, `level: "${level}"`, `type: "${type}"`];
    const numbers = /^(-?[\d.]+) \.\. (-?[\d.]+)$/.exec(range);
    if (numbers !== null) fields.push(`min: ${Number(numbers[1])}`, `max: ${Number(numbers[2])}`);
    else if (range !== "" && type !== "boolean") fields.push(`values: ${JSON.stringify(range.split(/,\s*/))}`);
    if (numbers !== null && defaultText !== "") fields.push(`default: ${Number(defaultText)}`);
    const alias = /^(?:\*\*[A-Z]+\*\* )*Alias for `([^`]+)`/.exec(description)?.[1];
    if (alias !== undefined) fields.push(`aliasOf: ${JSON.stringify(alias)}`);
    lines.set(name, `  [${JSON.stringify(name)}, { ${fields.join(", ")} }],\n`);
  }
  if (lines.size === 0) throw new Error("Cannot read CONFIGURATION.md: it has no table of properties");
  return HEADER + [...lines.values()].join("") + "]);\n";
}

/** The number of the first line of a `properties.ts` that differs from the generated source; `undefined` for none. */
export function staleLine(file: string, configuration: string): number | undefined {
  const generated = generateProperties(configuration);
  if (file === generated) return undefined;
  const expected = generated.split("\n");
  const found = file.split("\n");
  const index = expected.findIndex((line, i) => line !== found[i]);
  return (index === -1 ? expected.length : index) + 1;
}

if (import.meta.main) {
  const url = new URL(`../${PATH}`, import.meta.url);
  const configuration = await readSource("CONFIGURATION.md");
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(url, generateProperties(configuration));
  } else {
    const line = staleLine(await Deno.readTextFile(url), configuration);
    if (line !== undefined) {
      console.error(
        `${PATH}:${line}: differs from CONFIGURATION.md; run \`deno run -A tools/generate_properties.ts\``,
      );
      Deno.exit(1);
    }
    console.log(`${PATH}: agrees with CONFIGURATION.md`);
  }
}
