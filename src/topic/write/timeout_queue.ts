/**
 * One timer for many things that time out after the same time.
 *
 * @module
 */

/** Times out what was added, each after the same time, so the first added is the first to time out. */
export class TimeoutQueue<T extends object> {
  readonly #timeoutMs: number;
  readonly #onTimeout: (expired: ReadonlySet<T>) => void;
  #entries: { readonly item: T; readonly expiresAt: number }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param timeoutMs the time of each, in milliseconds; `Infinity` for no limit
   * @param onTimeout called with those whose time is over
   */
  constructor(timeoutMs: number, onTimeout: (expired: ReadonlySet<T>) => void) {
    this.#timeoutMs = timeoutMs;
    this.#onTimeout = onTimeout;
  }

  /** Adds something; its time begins now. */
  add(item: T): void {
    if (this.#timeoutMs === Infinity) return;
    this.#entries.push({ item, expiresAt: performance.now() + this.#timeoutMs });
    this.#timer ??= setTimeout(() => this.#expire(), this.#timeoutMs);
  }

  /** Removes everything; nothing times out. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#entries = [];
  }

  #expire(): void {
    const now = performance.now();
    const first = this.#entries.findIndex(({ expiresAt }) => expiresAt > now);
    const expired = this.#entries.splice(0, first < 0 ? this.#entries.length : first);
    const next = this.#entries[0];
    this.#timer = next && setTimeout(() => this.#expire(), Math.ceil(next.expiresAt - now));
    if (expired.length > 0) this.#onTimeout(new Set(expired.map(({ item }) => item)));
  }
}
