/**
 * Lints the documentation of every entry point: `deno doc --lint` takes no exports from deno.json by itself.
 *
 * The properties' types are the npm client's, and those of a schema registry its npm client's and Protobuf's: their
 * interfaces are not ours to document. That they are private is the one complaint left out.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };

const NOT_OURS = new RegExp(
  "^error\\[private-type-ref\\]: public type '(" +
    "NpmConf' references private type '\\w+Config'" +
    "|(Registry|Avro|Json|Protobuf)CodecOptions\\[.*\\]' references private type '(RuleRegistry|\\w+Config)'" +
    "|SchemaRegistry(Options|\\.prototype\\.\\w+)' references private type '(Client(Config)?|DescMessage|MessageShape)'" +
    ")",
);

/** The complaints that are ours to mend, each with its place. */
export function complaintsOf(output: string): string[] {
  return output.split("\n\n\n").flatMap((text) => {
    const complaint = text.slice(Math.max(0, text.indexOf("error[")));
    return complaint.startsWith("error[") && !NOT_OURS.test(complaint) ? [complaint] : [];
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
