/**
 * All readers of the updates of an engine.
 *
 * @module
 */

import type { UpdateLog } from "../store/update_log.ts";
import type { Write } from "../store/write.ts";
import { type CommitProgress, LiveUpdateReader } from "./live_update_reader.ts";
import { LogUpdateReader, type LogUpdateReaderOptions } from "./log_update_reader.ts";
import type { UpdateReader, WantedKeys } from "./update_reader.ts";

/** A reader that learns of each commit. */
interface NotifiedReader extends UpdateReader {
  onCommit(updates: readonly Write[], versionstamp: string): void;
}

/** Passes committed updates on to readers. */
export class UpdateReaders {
  readonly #readers = new Set<NotifiedReader>();

  /** Whether there are readers. */
  get hasReaders(): boolean {
    return this.#readers.size > 0;
  }

  /** Passes the updates of a commit on to every reader. */
  publish(updates: readonly Write[], versionstamp: string): void {
    for (const reader of this.#readers) reader.onCommit(updates, versionstamp);
  }

  /** Ends every reader. */
  close(): void {
    for (const reader of this.#readers) reader.close();
  }

  /** Reads what is published from now on, without a log. */
  readLive(progress: CommitProgress, wanted: WantedKeys): UpdateReader {
    const reader: NotifiedReader = new LiveUpdateReader(progress, wanted, () => this.#readers.delete(reader));
    this.#readers.add(reader);
    return reader;
  }

  /** Reads a log from a position on, and then what is added to it. */
  readLog(log: UpdateLog, options: Omit<LogUpdateReaderOptions, "onClose">): UpdateReader {
    const reader: NotifiedReader = new LogUpdateReader(log, {
      ...options,
      onClose: () => this.#readers.delete(reader),
    });
    this.#readers.add(reader);
    return reader;
  }
}
