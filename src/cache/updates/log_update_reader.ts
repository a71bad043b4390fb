/**
 * A reader of the log of updates: it reads every update that the log holds, in order, then what is added.
 *
 * @module
 */

import { idOf } from "../cache_key.ts";
import type { LoggedUpdate, UpdateLog } from "../store/update_log.ts";
import type { GapReason, LogPosition, UpdateEvent, UpdateReader, WantedKeys } from "./update_reader.ts";
import { WakeUp } from "./wake_up.ts";

/** How many updates to read from the log at once. */
const PAGE_SIZE = 100;
/** How often to look at the log when other processes append to it. */
const POLL_MS = 250;

/** The options of a reader of the log. */
export interface LogUpdateReaderOptions {
  /** The position where reading begins. Without an identity of the log, it is a position in whatever log there is. */
  readonly after: LogPosition | { readonly log?: undefined; readonly sequence: number };
  /** Whether other processes append to the log. */
  readonly shared: boolean;
  readonly wanted: WantedKeys;
  /** Called when the reader is closed. */
  readonly onClose: () => void;
}

/** Compares its own position with the state of the log in the store. */
export class LogUpdateReader implements UpdateReader {
  readonly #log: UpdateLog;
  readonly #options: LogUpdateReaderOptions;
  readonly #wakeUp = new WakeUp();
  /** Identifies the log that is read; undefined until the reader has seen it. */
  #id: string | undefined;
  /** The number of the next update. */
  #next: number;
  #page: LoggedUpdate[] = [];
  /** The number of the update behind which the "live" event comes; undefined if none is due. */
  #liveAfter: number | undefined;

  constructor(log: UpdateLog, options: LogUpdateReaderOptions) {
    this.#log = log;
    this.#options = options;
    this.#id = options.after.log;
    this.#next = options.after.sequence + 1;
  }

  onCommit(): void {
    this.#wakeUp.wake();
  }

  async next(): Promise<UpdateEvent | undefined> {
    while (!this.#wakeUp.closed) {
      const logged = this.#page[0];
      if (logged !== undefined) {
        if (logged.sequence > this.#next) return this.#gap("trimmed", logged.sequence);
        this.#page.shift();
        this.#next = logged.sequence + 1;
        if (!this.#options.wanted(logged.key)) continue;
        return { type: "update", id: idOf(logged.key), ...logged, log: this.#id };
      }
      // Read the state before the wait: a commit that is made in between wakes the wait.
      let state = await this.#log.state();
      // The store may hold a commit that is not answered yet. If this reader has read it, the reader is ahead of what
      // this process knows, and only the store can tell whether that is another log.
      if (this.#next > state.last + 1) state = await this.#log.readState();
      if (this.#wakeUp.closed) break;
      const isOtherLog = this.#id !== undefined && this.#id !== state.id || this.#next > state.last + 1;
      this.#id = state.id;
      if (isOtherLog) {
        if (this.#liveAfter !== undefined) this.#liveAfter = state.last;
        return this.#gap("other-log", state.first);
      }
      if (this.#next < state.first) return this.#gap("trimmed", state.first);
      if (this.#liveAfter !== undefined && this.#next > this.#liveAfter) {
        this.#liveAfter = undefined;
        return { type: "live", position: this.#position };
      }
      if (this.#next <= state.last) this.#page = await this.#log.read(this.#next, PAGE_SIZE);
      // If the page is empty although the log has more updates, the store was wiped meanwhile: look again soon.
      if (this.#page.length === 0) {
        await this.#wakeUp.wait(this.#options.shared || this.#next <= state.last ? POLL_MS : undefined);
      }
    }
    return undefined;
  }

  async skipToEnd(): Promise<string> {
    const { id, last, versionstamp } = await this.#log.readState();
    this.#id = id;
    this.#next = last + 1;
    this.#page = [];
    this.#liveAfter = undefined;
    return versionstamp ?? "";
  }

  async reportLive(): Promise<void> {
    this.#liveAfter = (await this.#log.readState()).last;
  }

  close(): void {
    this.#options.onClose();
    this.#wakeUp.close();
  }

  /** Behind the last update that was read; undefined while there is no log. */
  get #position(): LogPosition | undefined {
    return this.#id === undefined || this.#id === "" ? undefined : { log: this.#id, sequence: this.#next - 1 };
  }

  /** Goes on with the update of a number, and reports that those before it are missing. */
  #gap(reason: GapReason, next: number): UpdateEvent {
    this.#next = next;
    return { type: "gap", reason, position: this.#position };
  }
}
