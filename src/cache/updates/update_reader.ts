/**
 * What a reader of updates reads.
 *
 * @module
 */

import type { LoggedUpdate } from "../store/update_log.ts";

/** A place in a log. */
export interface LogPosition {
  /** The identity of the log. */
  readonly log: string;
  /** The number of the last update that was read. */
  readonly sequence: number;
}

/** An update on its way to a reader. */
export interface PublishedUpdate extends Pick<LoggedUpdate, "key" | "stored" | "versionstamp"> {
  readonly type: "update";
  readonly id: string;
  /** Its number in the log. */
  readonly sequence: number | undefined;
  /** The log's identity. */
  readonly log: string | undefined;
}

/**
 * Why updates are missing: the log no longer holds them (`"trimmed"`); it is not the log that was read before, such as
 * after the store was wiped (`"other-log"`); there is no log, and the reader was too slow (`"behind"`).
 */
export type GapReason = "trimmed" | "other-log" | "behind";

/** What a reader reads: an update; that some are missing; that it has caught up with what there was when it was marked. */
export type UpdateEvent =
  | PublishedUpdate
  | { readonly type: "gap"; readonly reason: GapReason; readonly position: LogPosition | undefined }
  | { readonly type: "live"; readonly position: LogPosition | undefined };

/** A reader of updates. */
export interface UpdateReader {
  /** The next one; undefined at the end. */
  next(): Promise<UpdateEvent | undefined>;
  /**
   * Leaves out everything up to now, and reads on from here.
   *
   * @returns a version of the store: all that is read from now on has a later one, and what was left out is on disk
   */
  restart(): Promise<string>;
  /** Has it answer "live" once it has read everything that was committed until now. */
  mark(): Promise<void>;
  /** Ends it, and a `next()` that waits. */
  close(): void;
}
