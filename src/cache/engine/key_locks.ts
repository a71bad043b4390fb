/**
 * Turns at keys: who asks first goes first.
 *
 * @module
 */

/** One who waits, until it has a reason not to. */
export interface LockWait {
  /** Why it has stopped. */
  readonly reason: unknown;
  /** What to call when it stops. */
  stop: ((reason: unknown) => void) | undefined;
}

/** Locks by id, each a queue of those who wait. */
export class KeyLocks {
  /** For each held lock, who is next. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /**
   * Takes all of the ids if they are free.
   *
   * @param ids each once
   * @returns what gives them back, to be called once; undefined when some are not free, and none is held
   */
  take(ids: readonly string[]): (() => void) | undefined {
    for (const id of ids) if (this.#waiting.has(id)) return undefined;
    for (const id of ids) this.#waiting.set(id, []);
    return () => {
      for (const id of ids) this.#release(id);
    };
  }

  /**
   * Waits for all of the ids. Taken in one order by everyone, so nobody waits in a circle.
   *
   * @param patience who stops waiting, by calling the function that it is given with a reason
   * @returns what gives them back, to be called once
   * @throws the reason; none is held then
   */
  async acquire(ids: readonly string[], patience: LockWait): Promise<() => void> {
    const held: string[] = [];
    const release = () => {
      for (const id of held) this.#release(id);
    };
    try {
      for (const id of ids.toSorted()) {
        if (patience.reason !== undefined) throw patience.reason;
        const waiting = this.#waiting.get(id);
        if (waiting === undefined) this.#waiting.set(id, []);
        else {
          await new Promise<void>((resolve, reject) => {
            const turn = () => {
              patience.stop = undefined;
              resolve();
            };
            waiting.push(turn);
            patience.stop = (reason) => {
              waiting.splice(waiting.indexOf(turn), 1);
              reject(reason);
            };
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
