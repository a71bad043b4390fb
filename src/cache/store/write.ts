/**
 * What a commit consists of: the writes, and the versions that it checks.
 *
 * @module
 */

import type { KeyPart } from "../cache_key.ts";
import type { ChunkList, StoredValue } from "./stored_value.ts";

/** A write that is accepted. */
export interface Write {
  /** The id of the key. */
  readonly id: string;
  readonly key: readonly KeyPart[];
  /** The length of the key in KV. */
  readonly keyBytes: number;
  /** The value; undefined to remove the key. */
  readonly stored: StoredValue | undefined;
}

/** The version of an entry that a commit checks: if it has changed, the commit writes nothing. */
export interface Check {
  /** The id of the key. */
  readonly id: string;
  readonly key: readonly KeyPart[];
  /** The length of the key in KV. */
  readonly keyBytes: number;
  /** Null if the key must not exist. */
  readonly versionstamp: string | null;
  /** The chunks of the value, if it is large. */
  readonly chunks?: ChunkList | undefined;
}
