/**
 * Writes, and what they rest on.
 *
 * @module
 */

import type { KeyPart } from "../cache_key.ts";
import type { ChunkList, StoredValue } from "./stored_value.ts";

/** A write that is to be made. */
export interface Write {
  readonly id: string;
  readonly key: readonly KeyPart[];
  /** How many bytes the key has. */
  readonly keyBytes: number;
  /** The value; undefined to delete. */
  readonly stored: StoredValue | undefined;
}

/** The version of an entry that a commit rests on. */
export interface Check {
  readonly id: string;
  readonly key: readonly KeyPart[];
  /** How many bytes the key has. */
  readonly keyBytes: number;
  readonly versionstamp: string | null;
  readonly chunks?: ChunkList | undefined;
}
