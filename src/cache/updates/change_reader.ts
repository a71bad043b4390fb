/**
 * Reads the entries of a Cache, and then their updates.
 *
 * @module
 */

import type { KeyPart } from "../cache_key.ts";
import type { EntryReader } from "../store/entry_reader.ts";
import type { StoredValue } from "../store/stored_value.ts";
import type { UpdateEvent, UpdateReader } from "./update_reader.ts";

/** What is read: the start of a snapshot, an entry, or what the reader of updates reads. */
export type Change =
  | UpdateEvent
  | { readonly type: "snapshot" }
  | { readonly type: "entry"; readonly key: readonly KeyPart[]; readonly stored: StoredValue };

/**
 * Reads a snapshot of the entries, and then the updates that follow it.
 *
 * A snapshot takes a while, and commits are made meanwhile. So the reader of updates begins before the first entry is
 * read:
 *
 * 1. `skipToEnd()` returns a version. Everything up to it is on disk, and every later update will be read.
 * 2. The entries are read. An entry whose version is later shows an update that will be read too, perhaps with others
 *    that came before it.
 * 3. When the updates are read, those that are not later than the version of their entry are left out.
 */
export class ChangeReader {
  readonly #entries: EntryReader;
  readonly #updates: UpdateReader;
  readonly #changes: AsyncGenerator<Change, void, undefined>;
  #closed = false;

  /**
   * @param prefix the first parts of the keys of the entries; undefined to read no entries
   * @param resumes whether the updates resume at an earlier position; then entries are read only after a gap
   */
  constructor(
    entries: EntryReader,
    updates: UpdateReader,
    prefix: readonly KeyPart[] | undefined,
    resumes: boolean,
  ) {
    this.#entries = entries;
    this.#updates = updates;
    this.#changes = this.#read(prefix, resumes);
  }

  /** The next change; undefined at the end. */
  async next(): Promise<Change | undefined> {
    const { value } = await this.#changes.next();
    return value || undefined;
  }

  /** Ends the reader, and a `next()` that waits for updates. */
  close(): void {
    this.#closed = true;
    this.#updates.close();
  }

  async *#read(prefix: readonly KeyPart[] | undefined, resumes: boolean): AsyncGenerator<Change, void, undefined> {
    let needsSnapshot = prefix !== undefined && !resumes;
    /** The versions of the entries that are later than the start of the snapshot, by the ids of their keys. */
    let laterVersions = new Map<string, string>();
    if (!needsSnapshot) await this.#updates.reportLive();
    for (;;) {
      if (needsSnapshot) {
        needsSnapshot = false;
        laterVersions = new Map();
        const start = await this.#updates.skipToEnd();
        yield { type: "snapshot" };
        for await (const { id, key, stored, versionstamp } of this.#entries.list(prefix!)) {
          if (this.#closed) return;
          if (versionstamp > start) laterVersions.set(id, versionstamp);
          yield { type: "entry", key, stored };
        }
        await this.#updates.reportLive();
      }
      const event = await this.#updates.next();
      if (event === undefined) return;
      if (event.type === "gap" && prefix !== undefined) {
        needsSnapshot = true;
        // Without a position: a client that reconnects before it has all entries has to start with a new snapshot.
        yield { ...event, position: undefined };
      } else if (event.type === "update") {
        const entryVersion = laterVersions.get(event.id);
        if (entryVersion === undefined || event.versionstamp > entryVersion) yield event;
      } else {
        if (event.type === "live") laterVersions.clear();
        yield event;
      }
    }
  }
}
