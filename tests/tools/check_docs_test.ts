import assert from "node:assert/strict";
import { complaintsOf } from "../../tools/check_docs.ts";

Deno.test("complaintsOf() leaves out the npm client's own types, and nothing else", () => {
  const theirs =
    "error[private-type-ref]: public type 'NpmConf' references private type 'ConsumerGlobalConfig'\n --> x";
  const handedOn = "error[missing-jsdoc]: exported symbol is missing JSDoc documentation\n" +
    "  --> /cache/npm/@confluentinc/kafka-javascript/1.10.1/types/rdkafka.d.ts:16:18\n   |";
  const ours = "error[missing-jsdoc]: exported symbol is missing JSDoc documentation\n --> y";
  assert.deepEqual(
    complaintsOf(`${theirs}\n\n\n${handedOn}\n\n\n${ours}\n\n\nerror: Found 2 documentation lint errors.`),
    [ours],
  );
});
