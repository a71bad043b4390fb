/**
 * A pool of tasks that run side by side, in order within each key.
 *
 * @module
 */

import { WAITING_TASKS_PER_RUNNING } from "./limits.ts";

/** A function that does some work. It reports its own errors, and never throws or rejects. */
export type Task = () => void | Promise<void>;

/**
 * Runs up to `limit` tasks at a time, and those of one key one after the other.
 *
 * - **Bounded**: at most 17 times `limit` tasks run or wait. Beyond that, `run()` returns a promise: the caller waits for
 *   room.
 * - **Fair**: keys with tasks alternate, so one busy key does not hold up others whose tasks wait already. But a busy key
 *   can fill all waiting places. Then no further message is read, and the other keys wait for that key.
 */
export class KeyedPool {
  readonly #limit: number;
  /** The tasks that may start: at most one of each key. */
  readonly #ready: { readonly key: unknown; readonly task: Task }[] = [];
  /** For each key with a task that is ready or runs: the tasks that wait for it. */
  readonly #waiting = new Map<unknown, Task[]>();
  #running = 0;
  /** How many tasks run or wait. */
  #size = 0;
  #isStarting = false;
  readonly #roomWaiters: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Adds a task, and starts it as soon as its key and the limit allow.
   *
   * @param key tasks of the same key run in the order in which they are added; tasks of `undefined` have no order
   * @returns a promise if there is no room for another task; it resolves when there is
   */
  run(key: unknown, task: Task): void | Promise<void> {
    this.#size++;
    const waiting = key === undefined ? undefined : this.#waiting.get(key);
    if (waiting !== undefined) {
      waiting.push(task);
    } else {
      if (key !== undefined) this.#waiting.set(key, []);
      this.#ready.push({ key, task });
      this.#startReady();
    }
    if (this.#size < this.#limit * (1 + WAITING_TASKS_PER_RUNNING)) return;
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /** Starts tasks in a loop. (If each task started the next one, synchronous tasks would pile up on the stack.) */
  #startReady(): void {
    if (this.#isStarting) return;
    this.#isStarting = true;
    while (this.#running < this.#limit && this.#ready.length > 0) {
      const { key, task } = this.#ready.shift()!;
      this.#running++;
      const running = task();
      if (running === undefined) this.#end(key);
      else {
        running.then(() => {
          this.#end(key);
          this.#startReady();
        });
      }
    }
    this.#isStarting = false;
  }

  #end(key: unknown): void {
    this.#running--;
    this.#size--;
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      const task = waiting.shift();
      if (task === undefined) this.#waiting.delete(key);
      else this.#ready.push({ key, task });
    }
    for (const resolve of this.#roomWaiters.splice(0)) resolve();
  }
}
