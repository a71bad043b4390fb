/**
 * What a Cache has, and what becomes of it: entries first, then updates, each key's in order.
 *
 * @module
 */

import type { Engine } from "../engine/engine.ts";
import type { KeyPart } from "../cache_key.ts";
import type { Entry } from "../engine/scan.ts";
import type { UpdateEvent, UpdateReader } from "./update_reader.ts";

/** What is read: that the entries follow, an entry, or what a reader of updates reads. */
export type Change = UpdateEvent | { readonly type: "snapshot" } | { readonly type: "entry" } & Entry;

/** Entries, and then their updates. */
export class ChangeReader {
  readonly #engine: Engine;
  readonly #reader: UpdateReader;
  readonly #changes: AsyncGenerator<Change, void, undefined>;
  #closed = false;

  /**
   * @param reader reads the updates
   * @param prefix what the keys of the entries begin with; no entries are read when it is left out
   * @param resumes whether the reader goes on behind an update: then entries are read after a gap only
   */
  constructor(engine: Engine, reader: UpdateReader, prefix: readonly KeyPart[] | undefined, resumes: boolean) {
    this.#engine = engine;
    this.#reader = reader;
    this.#changes = this.#read(prefix, resumes);
  }

  /** The next one; undefined at the end. */
  async next(): Promise<Change | undefined> {
    const { value } = await this.#changes.next();
    return value || undefined;
  }

  /** Ends it, and a `next()` that waits for updates. */
  close(): void {
    this.#closed = true;
    this.#reader.close();
  }

  async *#read(prefix: readonly KeyPart[] | undefined, resumes: boolean): AsyncGenerator<Change, void, undefined> {
    let isDue = prefix !== undefined && !resumes;
    /** The versions of the entries that may be updated by what the reader reads next: some they are ahead of. */
    let versions = new Map<string, string>();
    if (!isDue) await this.#reader.mark();
    for (;;) {
      if (isDue) {
        isDue = false;
        versions = new Map();
        const version = await this.#reader.restart();
        yield { type: "snapshot" };
        for await (const { id, versionstamp, ...found } of this.#engine.reads.list(prefix!)) {
          if (this.#closed) return;
          if (versionstamp > version) versions.set(id, versionstamp);
          yield { type: "entry", ...found };
        }
        await this.#reader.mark();
      }
      const read = await this.#reader.next();
      if (read === undefined) return;
      if (read.type === "gap" && prefix !== undefined) {
        isDue = true;
        // Who comes back before it has all entries must get them again.
        yield { ...read, position: undefined };
      } else if (read.type === "update") {
        // An entry that was read later than this update was made shows it already, or what came after it.
        const version = versions.get(read.id);
        if (version === undefined || read.versionstamp > version) yield read;
      } else {
        if (read.type === "live") versions.clear();
        yield read;
      }
    }
  }
}
