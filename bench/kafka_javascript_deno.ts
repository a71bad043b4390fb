/**
 * Runs the npm client on Deno, over the addon in `src/addon`: `deno run -A kafka_javascript_deno.ts ARGS…`.
 *
 * @module
 */

import * as kafka from "@slipstream/slipstream/kafka-javascript";
import { measure } from "./kafka_javascript_load.mjs";

console.log(JSON.stringify(await measure(kafka, Deno.args)));
