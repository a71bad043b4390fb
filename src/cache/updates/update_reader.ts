/**
 * What readers of updates have in common, with a log or without.
 *
 * @module
 */

import type { KeyPart } from "../cache_key.ts";
import type { LoggedUpdate } from "../store/update_log.ts";

/** A position in a log: behind one of its updates. */
export interface LogPosition {
  /** Identifies the log. */
  readonly log: string;
  /** The number of the update behind which the position is; 0 for the start of the log. */
  readonly sequence: number;
}

/** A published update, as a reader gets it. */
export interface PublishedUpdate extends Pick<LoggedUpdate, "key" | "stored" | "versionstamp"> {
  readonly type: "update";
  /** The id of the key. */
  readonly id: string;
  /** The number in the log; undefined without a log. */
  readonly sequence: number | undefined;
  /** Identifies the log; undefined without a log. */
  readonly log: string | undefined;
}

/**
 * Why updates are missing: the log no longer holds them (`"trimmed"`); the reader's position is in another log, for
 * example because the store was wiped (`"other-log"`); there is no log, and the reader was too slow (`"behind"`).
 */
export type GapReason = "trimmed" | "other-log" | "behind";

/** What a reader reads: an update; a gap, where updates are missing; or that it has caught up, after `reportLive()`. */
export type UpdateEvent =
  | PublishedUpdate
  | { readonly type: "gap"; readonly reason: GapReason; readonly position: LogPosition | undefined }
  | { readonly type: "live"; readonly position: LogPosition | undefined };

/** Tests whether a reader wants the updates of a key. */
export type WantedKeys = (key: readonly KeyPart[]) => boolean;

/** Reads updates. */
export interface UpdateReader {
  /** The next event; undefined at the end. */
  next(): Promise<UpdateEvent | undefined>;
  /**
   * Skips everything up to now.
   *
   * @returns a version of the store: what was skipped is on disk, and everything that is read from now on is later than
   *   it
   */
  skipToEnd(): Promise<string>;
  /** Makes `next()` return a "live" event once it has returned everything that is committed by now. */
  reportLive(): Promise<void>;
  /** Ends the reader, and a `next()` that waits. */
  close(): void;
}
