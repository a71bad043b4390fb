import assert from "node:assert/strict";
import { defaultProblems, lintErrors } from "../../tools/check_docs.ts";

Deno.test("lintErrors() ignores the types of the registry's npm client, and no others", () => {
  const theirs = "error[private-type-ref]: public type 'AvroCodecOptions[\"serializer\"]' references private type " +
    "'AvroSerializerConfig'\n --> x";
  const ours =
    "error[private-type-ref]: public type 'AvroCodecOptions[\"mine\"]' references private type 'Mine'\n --> y";
  assert.deepEqual(lintErrors(`${theirs}\n\n\n${ours}`), [ours]);
});

Deno.test("lintErrors() ignores the types of the Kafka npm client, and no others", () => {
  const theirs =
    "error[private-type-ref]: public type 'NpmConf' references private type 'ConsumerGlobalConfig'\n --> x";
  const ours = "error[missing-jsdoc]: exported symbol is missing JSDoc documentation\n --> y";
  const inside =
    "error[missing-jsdoc]: exported symbol is missing JSDoc documentation\n  --> /x/@confluentinc/kafka-javascript/1.10.1/types/a.d.ts:5:3";
  assert.deepEqual(
    lintErrors(`${theirs}\n\n\n${inside}\n\n\n${ours}\n\n\nerror: Found 2 documentation lint errors.`),
    [ours],
  );
});

/** Options with their defaults, for the negative controls to break. */
const OPTIONS = `
/** Options of a thing. */
export interface ThingOptions<T = unknown> {
  /** How many. @default {1_000} */
  readonly count?: number;
  /**
   * How long.
   * @default {60_000}
   */
  readonly ms?: number;
  /** What for. @default {"life"} */
  readonly purpose?: "life" | "art";
  /** Which ones. @default {all} */
  readonly which?: (one: T) => boolean;
  /** By what. @default {text} */
  readonly codec?: Codec;
  /** Whose. */
  readonly owner: string;
}

const DEFAULTS = {
  count: 1000,
  ms: 60 * 1000,
  purpose: "life",
  codec: text,
} as const satisfies ThingOptions;
const { count } = { ...DEFAULTS, ...options };
`;

Deno.test("defaultProblems() finds each default that is documented in one way and coded in another", () => {
  const problems = (text: string) => defaultProblems([{ path: "thing.ts", text }]).join();
  const broken = (from: string, to: string) => {
    assert.ok(OPTIONS.includes(from), from);
    return problems(OPTIONS.replace(from, to));
  };
  assert.equal(problems(OPTIONS), "");
  assert.match(
    broken("@default {1_000}", "@default {100}"),
    /ThingOptions\.count has @default \{100\}, and DEFAULTS has 1000/,
  );
  assert.match(
    broken("ms: 60 * 1000", "ms: 30_000"),
    /ThingOptions\.ms has @default \{60_000\}, and DEFAULTS has 30_000/,
  );
  assert.match(broken('purpose: "life",', ""), /purpose has @default \{"life"\} and no entry in a DEFAULTS/);
  assert.match(broken("{text}", "{json()}"), /codec has @default \{json\(\)\}, and DEFAULTS has text/);
  assert.match(broken(' @default {"life"}', ""), /purpose has a default and no @default tag/);
  assert.match(broken("...DEFAULTS", "count: DEFAULTS.count"), /nothing uses DEFAULTS\.ms/);
  assert.match(broken(" as const satisfies ThingOptions", ""), /count has .* no entry/);
  assert.match(
    broken("satisfies ThingOptions", "satisfies OtherOptions"),
    /satisfies OtherOptions, which has no interface/,
  );
});

Deno.test("defaultProblems() takes the interfaces of an intersection together", () => {
  const text = OPTIONS.replace("export interface ThingOptions<T = unknown> {", "export interface ThingSettings {")
    .replace("  /** By what.", "}\n\nexport interface ThingCodecs<T> {\n  /** By what.")
    .replace(
      "\nconst DEFAULTS",
      "\nexport type ThingOptions<T = string> = ThingSettings & ThingCodecs<T>;\n\nconst DEFAULTS",
    );
  assert.deepEqual(defaultProblems([{ path: "thing.ts", text }]), []);
  const broken = text.replace("{1_000}", "{100}").replace("{text}", "{json()}");
  assert.equal(defaultProblems([{ path: "thing.ts", text: broken }]).length, 2);
});

Deno.test("defaultProblems() finds options in this repository", async () => {
  const path = new URL("../../src/stream/retry.ts", import.meta.url);
  const text = await Deno.readTextFile(path);
  const broken = text.replace("@default {5}", "@default {6}");
  assert.notEqual(broken, text);
  assert.deepEqual(defaultProblems([{ path: "retry.ts", text }]), []);
  assert.match(
    defaultProblems([{ path: "retry.ts", text: broken }]).join(),
    /^retry\.ts: RetryOptions\.maxAttempts has/,
  );
});
