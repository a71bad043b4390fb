/**
 * The null value of a header.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/**
 * Represents null as a header's value, in records to be produced and in consumed messages. The package's addon refuses
 * JavaScript's null and hands out an empty buffer for Kafka's; this buffer is empty, and recognized by its identity.
 */
export const NULL_HEADER: Buffer = Buffer.alloc(0);
