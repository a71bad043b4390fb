/**
 * Runs `deno doc --lint` on every export of deno.json, since the command does not read them by itself.
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

if (import.meta.main) {
  const { stderr, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", ...Object.values(config.exports)],
    env: { NO_COLOR: "1" },
  }).output();
  const output = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  const errors = lintErrors(output);
  if (!/Checked \d+ files|documentation lint error/.test(output)) errors.push(output);
  for (const error of errors) console.error(`${error}\n`);
  if (errors.length > 0) Deno.exit(1);
  console.log("docs: every exported symbol is documented");
}
