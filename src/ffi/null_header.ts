/**
 * Kafka's null as a header's value.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/**
 * Stands for Kafka's null as a header's value, produced or consumed. The addon refuses JavaScript's null and hands out an
 * empty buffer, which this is.
 */
export const NULL_HEADER: Buffer = Buffer.alloc(0);
