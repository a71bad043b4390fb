/**
 * Those who wait, and for how long each of them does.
 *
 * @module
 */

/** Says of each who waits when its time is over. All have the same time, so who came first is the first to go. */
export class Patience<T> {
  readonly #timeoutMs: number;
  readonly #over: (late: ReadonlySet<T>) => void;
  #waiting: { readonly who: T; readonly until: number }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param timeoutMs how long each waits, in milliseconds; `Infinity` for ever
   * @param over called with those whose time is over
   */
  constructor(timeoutMs: number, over: (late: ReadonlySet<T>) => void) {
    this.#timeoutMs = timeoutMs;
    this.#over = over;
  }

  /** Somebody begins to wait. */
  begin(who: T): void {
    if (this.#timeoutMs === Infinity) return;
    this.#waiting.push({ who, until: performance.now() + this.#timeoutMs });
    this.#timer ??= setTimeout(() => this.#look(), this.#timeoutMs);
  }

  /** Nobody waits any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting = [];
  }

  #look(): void {
    const now = performance.now();
    const first = this.#waiting.findIndex(({ until }) => until > now);
    const late = this.#waiting.splice(0, first < 0 ? this.#waiting.length : first);
    const next = this.#waiting[0];
    this.#timer = next && setTimeout(() => this.#look(), Math.ceil(next.until - now));
    if (late.length > 0) this.#over(new Set(late.map(({ who }) => who)));
  }
}
