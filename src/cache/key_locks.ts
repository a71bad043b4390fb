/**
 * Turns at keys: who asks first goes first.
 *
 * @module
 */

/** Locks by id, each a queue of those who wait. */
export class KeyLocks {
  /** For each held lock, who is next. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /**
   * Waits for all of the ids. Taken in one order by everyone, so nobody waits in a circle.
   *
   * @returns what gives them back; calling it again does nothing
   * @throws the signal's reason, when it aborts before all are held; none is held then
   */
  async acquire(ids: readonly string[], signal: AbortSignal): Promise<() => void> {
    const held: string[] = [];
    const release = () => {
      for (const id of held.splice(0)) this.#release(id);
    };
    try {
      for (const id of [...new Set(ids)].sort()) {
        signal.throwIfAborted();
        const waiting = this.#waiting.get(id);
        if (waiting === undefined) this.#waiting.set(id, []);
        else {
          await new Promise<void>((resolve, reject) => {
            const turn = () => {
              signal.removeEventListener("abort", abort);
              resolve();
            };
            const abort = () => {
              waiting.splice(waiting.indexOf(turn), 1);
              reject(signal.reason);
            };
            signal.addEventListener("abort", abort, { once: true });
            waiting.push(turn);
          });
        }
        held.push(id);
      }
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }

  #release(id: string): void {
    const waiting = this.#waiting.get(id)!;
    const next = waiting.shift();
    if (next === undefined) this.#waiting.delete(id);
    else next();
  }
}
