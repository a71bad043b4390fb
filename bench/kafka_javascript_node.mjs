/**
 * The npm client with its native addon on Node: `node kafka_javascript_node.mjs FOLDER ARGS…`, where the folder has it
 * in `node_modules`.
 *
 * @module
 */

import { createRequire } from "node:module";
import process from "node:process";
import { measure } from "./kafka_javascript_load.mjs";

const [folder, ...args] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
console.log(JSON.stringify(await measure(require("@confluentinc/kafka-javascript"), args)));
