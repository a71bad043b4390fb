/**
 * A reader of the log: every update that it holds, in order, then what is added.
 *
 * @module
 */

import { idOf, type KeyPart } from "../cache_key.ts";
import type { LoggedUpdate, UpdateLog } from "../store/update_log.ts";
import type { GapReason, LogPosition, UpdateEvent, UpdateReader } from "./update_reader.ts";
import { Waiter } from "./waiter.ts";

/** How many updates are read from the log at once. */
const PAGE = 100;
/** How often the log is looked at when other processes write to it. */
const POLL_MS = 250;

/** How a log is read. */
export interface LogReaderOptions {
  /** Behind which update reading begins; without the log's identity, in whatever log there is. */
  readonly after: LogPosition | { readonly log?: undefined; readonly sequence: number };
  /** Whether other processes add to the log. */
  readonly shared: boolean;
  /** Which keys are read. */
  readonly wanted: (key: readonly KeyPart[]) => boolean;
  /** Called when it is closed. */
  readonly onClose: (reader: LogReader) => void;
}

/** Compares where it is with the store, not with what this process has counted. */
export class LogReader implements UpdateReader {
  readonly #log: UpdateLog;
  readonly #options: LogReaderOptions;
  readonly #waiter = new Waiter();
  /** The identity of the log that is read; any, when undefined. */
  #id: string | undefined;
  /** The number of the next update. */
  #next: number;
  #page: LoggedUpdate[] = [];
  /** The update behind which to answer "live", once. */
  #liveAfter: number | undefined;

  constructor(log: UpdateLog, options: LogReaderOptions) {
    this.#log = log;
    this.#options = options;
    this.#id = options.after.log;
    this.#next = options.after.sequence + 1;
  }

  push(): void {
    this.#waiter.wake();
  }

  async next(): Promise<UpdateEvent | undefined> {
    while (!this.#waiter.closed) {
      const logged = this.#page[0];
      if (logged !== undefined) {
        if (logged.sequence > this.#next) return this.#gap("trimmed", logged.sequence);
        this.#page.shift();
        this.#next = logged.sequence + 1;
        if (!this.#options.wanted(logged.key)) continue;
        return { type: "update", id: idOf(logged.key), ...logged, log: this.#id };
      }
      // In this order: what is committed while the log is read wakes the wait that follows.
      let state = await this.#log.state();
      // A commit that is not answered yet may be in the store, and was read, before this process counts it.
      if (this.#next > state.last + 1) state = await this.#log.stored();
      if (this.#waiter.closed) break;
      const isAnother = this.#id !== undefined && this.#id !== state.id || this.#next > state.last + 1;
      this.#id = state.id;
      if (isAnother) {
        if (this.#liveAfter !== undefined) this.#liveAfter = state.last;
        return this.#gap("other-log", state.first);
      }
      if (this.#next < state.first) return this.#gap("trimmed", state.first);
      if (this.#liveAfter !== undefined && this.#next > this.#liveAfter) {
        this.#liveAfter = undefined;
        return { type: "live", position: this.#position };
      }
      if (this.#next <= state.last) this.#page = await this.#log.read(this.#next, PAGE);
      // A page is empty only when the store was wiped meanwhile.
      if (this.#page.length === 0) {
        await this.#waiter.wait(this.#options.shared || this.#next <= state.last ? POLL_MS : undefined);
      }
    }
    return undefined;
  }

  async restart(): Promise<string> {
    const { id, last, versionstamp } = await this.#log.stored();
    this.#id = id;
    this.#next = last + 1;
    this.#page = [];
    this.#liveAfter = undefined;
    return versionstamp ?? "";
  }

  async mark(): Promise<void> {
    this.#liveAfter = (await this.#log.stored()).last;
  }

  close(): void {
    this.#options.onClose(this);
    this.#waiter.close();
  }

  get #position(): LogPosition | undefined {
    return this.#id === undefined || this.#id === "" ? undefined : { log: this.#id, sequence: this.#next - 1 };
  }

  #gap(reason: GapReason, next: number): UpdateEvent {
    this.#next = next;
    return { type: "gap", reason, position: this.#position };
  }
}
