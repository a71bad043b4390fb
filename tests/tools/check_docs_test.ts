import assert from "node:assert/strict";
import { lintErrors } from "../../tools/check_docs.ts";

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
