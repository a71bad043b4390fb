/**
 * Runs `deno doc --lint` on every export of deno.json, since the command does not read them by itself, and compares the
 * `@default` tags of interfaces of options with the values in the code.
 *
 * Errors about types of the npm packages are ignored: their documentation is not part of this project.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };

/** Errors about types of the npm packages. */
const IGNORED = [
  /^error\[.*\n +--> \S*[/\\]@confluentinc[/\\]kafka-javascript[/\\]/,
  /^error\[private-type-ref\]: public type 'NpmConf' references private type '\w+Config'/,
  /^error\[private-type-ref\]: public type '(Registry|Avro|Json|Protobuf)CodecOptions\[.*\]' references private type '(RuleRegistry|\w+Config)'/,
  /^error\[private-type-ref\]: public type 'SchemaRegistry(Options|\.prototype\.\w+)' references private type '(Client(Config)?|DescMessage|MessageShape)'/,
];

/** The errors in the output of `deno doc --lint`, without those that are ignored. */
export function lintErrors(output: string): string[] {
  return output.split("\n\n\n").flatMap((text) => {
    const error = text.slice(Math.max(0, text.indexOf("error[")));
    return error.startsWith("error[") && !IGNORED.some((pattern) => pattern.test(error)) ? [error] : [];
  });
}

/** A source file. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** A default as the documentation or the code has it, in the source's own words. */
type Defaults = ReadonlyMap<string, string>;

interface DefaultsObject {
  readonly path: string;
  readonly name: string;
  readonly entries: Defaults;
  /** The texts of the files that may use it. */
  readonly users: readonly string[];
}

/**
 * Compares each `@default` tag of an interface `…Options` with the object `const DEFAULTS = { … } satisfies …Options`, which
 * may also be called `X_DEFAULTS`, in any of the files.
 *
 * A tag that holds a literal needs an entry in such an object, and each entry needs a tag with the same value. A tag in
 * words, such as `{all}`, stands for what no constant says, and must have no entry.
 *
 * @returns one line for each problem
 */
export function defaultProblems(sources: readonly Source[]): string[] {
  const problems: string[] = [], texts = sources.map(({ text }) => text);
  const objects = new Map<string, DefaultsObject>();
  for (const { path, text } of sources) {
    for (const [, exported, name, body, type] of text.matchAll(OBJECT)) {
      const users = exported === undefined ? [text] : texts;
      objects.set(type!, { path, name: name!, entries: entriesOf(body!), users });
    }
  }
  for (const { path, text } of sources) {
    for (const [type, body] of optionsOf(text)) {
      const tags = tagsOf(body), object = objects.get(type);
      objects.delete(type);
      const entries = object?.entries ?? new Map<string, string>();
      for (const [option, tag] of tags) {
        const entry = entries.get(option);
        if (entry === undefined && !LITERAL.test(tag)) continue;
        if (entry === undefined) {
          problems.push(`${path}: ${type}.${option} has @default {${tag}} and no entry in a DEFAULTS`);
        } else if (valueOf(entry) !== valueOf(tag)) {
          problems.push(`${path}: ${type}.${option} has @default {${tag}}, and ${object!.name} has ${entry}`);
        }
      }
      for (const option of entries.keys()) {
        if (!tags.has(option)) problems.push(`${path}: ${type}.${option} has a default and no @default tag`);
        const isUsed = object!.users.some((user) =>
          user.includes(`...${object!.name}`) || uses(user, object!.name, option)
        );
        if (!isUsed) problems.push(`${object!.path}: nothing uses ${object!.name}.${option}`);
      }
    }
  }
  for (const [type, { path, name }] of objects) {
    problems.push(`${path}: ${name} satisfies ${type}, which has no interface`);
  }
  return problems;
}

const OBJECT = /^(export )?const (\w*DEFAULTS) = \{([^;]*?)\}(?: as const)? satisfies (?:Required<)?(\w+Options)\b/gm;
const INTERFACE = /\binterface (\w+)\b[^{]*\{\n([^]*?)\n\}/g;
/** A type that begins on a line of its own, such as one with an object type in it. */
const LONG_TYPE = /\btype (\w+)\b[^\n]*=\n([^]*?);\n(?:\n|$)/g;
const INTERSECTION = /\btype (\w+Options)\b[^=]*(?:= \w+[^=;]*)*= ([^={};]+ & [^={};]+);/g;
/** A documented option: its last tag is `@default`. */
const TAG = /@default \{(.+)\}\s*(?:\*\s*)?\*\/\s*(?:readonly )?(\w+)\??:/g;
const LITERAL = /^(?:true|false|Infinity|-?[\d_.]+|"[^"]*"|\(.*=>.*)$/;

/** The bodies of the interfaces `…Options` in a file, and of types `…Options` that are intersections of its interfaces and types. */
function optionsOf(text: string): [type: string, body: string][] {
  const declarations = [...text.matchAll(INTERFACE), ...text.matchAll(LONG_TYPE)];
  const interfaces = new Map(declarations.map(([, name, body]) => [name!, body!]));
  const intersections = [...text.matchAll(INTERSECTION)].map(([, name, parts]): [string, string] => {
    const names = parts!.split("&").map((part) => /\w+/.exec(part)![0]);
    return [name!, names.map((part) => interfaces.get(part) ?? "").join("\n")];
  });
  return [...[...interfaces].filter(([name]) => name.endsWith("Options")), ...intersections];
}

function tagsOf(body: string): Defaults {
  return new Map([...body.matchAll(TAG)].map(([, tag, option]) => [option!, tag!]));
}

function entriesOf(body: string): Defaults {
  const entries = body.trim().replace(/,$/, "").split(/,\s*(?=\w+:)/).filter((entry) => entry !== "");
  return new Map(entries.map((entry) => {
    const [, option, value] = /^(\w+):\s*([^]+)$/.exec(entry.trim())!;
    return [option!, value!.trim()];
  }));
}

function uses(text: string, name: string, option: string): boolean {
  return new RegExp(`\\b${name}\\.${option}\\b`).test(text);
}

/** Numbers and products of numbers by their value, all else by its text. */
function valueOf(text: string): string {
  const factors = text.split("*").map((factor) => factor.trim().replaceAll("_", ""));
  if (!factors.every((factor) => /^-?[\d.]+$/.test(factor))) return text;
  return String(factors.reduce((product, factor) => product * Number(factor), 1));
}

/** The TypeScript files below a folder. */
function sourcesBelow(folder: string): Source[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return sourcesBelow(path);
    return name.endsWith(".ts") ? [{ path, text: Deno.readTextFileSync(path) }] : [];
  });
}

if (import.meta.main) {
  const { stderr, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", ...Object.values(config.exports)],
    env: { NO_COLOR: "1" },
  }).output();
  const output = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  const errors = lintErrors(output);
  if (!/Checked \d+ files|documentation lint error/.test(output)) errors.push(output);
  errors.push(...defaultProblems(sourcesBelow("src")));
  for (const error of errors) console.error(`${error}\n`);
  if (errors.length > 0) Deno.exit(1);
  console.log("docs: every exported symbol is documented, and defaults are as documented");
}
