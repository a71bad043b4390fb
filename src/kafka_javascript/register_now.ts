/**
 * Registers the addon from the command line: `deno run --preload jsr:@slipstream/slipstream/kafka-javascript/register`.
 *
 * From then on, CommonJS modules that require the native addon of `@confluentinc/kafka-javascript` get the addon that
 * runs over FFI. Importing this module does not open librdkafka; the first use of the addon does.
 *
 * @module
 */

import { register } from "../addon/register.ts";

register();
