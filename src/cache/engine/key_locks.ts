/**
 * Locks on keys, each given to those who wait in the order in which they asked.
 *
 * @module
 */

/** A caller that waits for locks, and can give up. */
export interface LockWait {
  /** Why it has given up; undefined while it has not. */
  readonly reason: unknown;
  /** Set while the caller waits. Whoever makes it give up calls this with the reason. */
  giveUp: ((reason: unknown) => void) | undefined;
}

/** Locks by the ids of keys. */
export class KeyLocks {
  /** For each held lock, those who wait for it; the first is next. */
  readonly #queues = new Map<string, (() => void)[]>();

  /**
   * Takes all of these locks if they are free.
   *
   * @param ids each once
   * @returns a function that releases them, to be called once; undefined if one is held, and then none is taken
   */
  tryAcquire(ids: readonly string[]): (() => void) | undefined {
    for (const id of ids) if (this.#queues.has(id)) return undefined;
    for (const id of ids) this.#queues.set(id, []);
    return () => {
      for (const id of ids) this.#release(id);
    };
  }

  /**
   * Waits for all of these locks. Every caller takes its locks in the same order, so none waits in a circle.
   *
   * @param ids each once
   * @param wait lets the caller give up
   * @returns a function that releases them, to be called once
   * @throws the reason why the caller gave up; then it holds none
   */
  async acquire(ids: readonly string[], wait: LockWait): Promise<() => void> {
    const held: string[] = [];
    const release = () => {
      for (const id of held) this.#release(id);
    };
    try {
      for (const id of ids.toSorted()) {
        if (wait.reason !== undefined) throw wait.reason;
        const queue = this.#queues.get(id);
        if (queue === undefined) this.#queues.set(id, []);
        else await join(queue, wait);
        held.push(id);
      }
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }

  #release(id: string): void {
    const queue = this.#queues.get(id)!;
    const next = queue.shift();
    if (next === undefined) this.#queues.delete(id);
    else next();
  }
}

/** Waits in a queue until the lock is passed on, or the caller gives up. */
function join(queue: (() => void)[], wait: LockWait): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const onLock = () => {
      wait.giveUp = undefined;
      resolve();
    };
    queue.push(onLock);
    wait.giveUp = (reason) => {
      queue.splice(queue.indexOf(onLock), 1);
      reject(reason);
    };
  });
}
