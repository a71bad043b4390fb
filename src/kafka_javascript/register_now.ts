/**
 * Registers the binding, from a command line: `deno run --preload jsr:@slipstream/slipstream/kafka-javascript/register`.
 *
 * From then on, CommonJS modules that ask for the addon of `@confluentinc/kafka-javascript` get the binding over FFI.
 * Loads the binding and no more: librdkafka is opened by its first use.
 *
 * @module
 */

import { register } from "../addon/register.ts";

register();
