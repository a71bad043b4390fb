/**
 * Lints the documentation of every entry point: `deno doc --lint` takes no exports from deno.json by itself.
 *
 * The types of other people's clients are not ours to document: complaints about the Kafka client's files, and that types
 * of properties and options are private there, are left out.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };

const NOT_OURS = [
  /^error\[.*\n +--> \S*[/\\]@confluentinc[/\\]kafka-javascript[/\\]/,
  /^error\[private-type-ref\]: public type 'NpmConf' references private type '\w+Config'/,
  /^error\[private-type-ref\]: public type '(Registry|Avro|Json|Protobuf)CodecOptions\[.*\]' references private type '(RuleRegistry|\w+Config)'/,
  /^error\[private-type-ref\]: public type 'SchemaRegistry(Options|\.prototype\.\w+)' references private type '(Client(Config)?|DescMessage|MessageShape)'/,
];

/** The complaints that are ours to mend, each with its place. */
export function complaintsOf(output: string): string[] {
  return output.split("\n\n\n").flatMap((text) => {
    const complaint = text.slice(Math.max(0, text.indexOf("error[")));
    return complaint.startsWith("error[") && !NOT_OURS.some((theirs) => theirs.test(complaint)) ? [complaint] : [];
  });
}

if (import.meta.main) {
  const { stderr, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", ...Object.values(config.exports)],
    env: { NO_COLOR: "1" },
  }).output();
  const output = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  const complaints = complaintsOf(output);
  if (!/Checked \d+ files|documentation lint error/.test(output)) complaints.push(output);
  for (const complaint of complaints) console.error(`${complaint}\n`);
  if (complaints.length > 0) Deno.exit(1);
  console.log("docs: every exported symbol is documented");
}
