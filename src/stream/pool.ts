/**
 * A pool of tasks that run side by side, in order within each key.
 *
 * @module
 */

/** A function that does some work. It reports its own errors, and never throws or rejects. */
export type Task = () => void | Promise<void>;

/** How many tasks may wait, for each one that may run. */
const WAITING_PER_RUNNING = 16;

/**
 * Runs up to `limit` tasks at a time, and those of one key one after the other.
 *
 * - **Bounded**: at most 17 times `limit` tasks run or wait. `run()` returns a promise then: the caller waits for room.
 * - **Fair**: keys with tasks take turns, so one busy key does not hold up others that wait already. It can fill the
 *   room for waiting tasks, though; all others then proceed at its pace, because their messages are not read yet.
 */
export class KeyedPool {
  readonly #limit: number;
  readonly #ready: { readonly key: unknown; readonly task: Task }[] = [];
  readonly #behind = new Map<unknown, Task[]>();
  #running = 0;
  #size = 0;
  #starting = false;
  #room: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Adds a task, and begins it as soon as its key and the limit allow.
   *
   * @param key orders the tasks that have the same one; tasks with `undefined` have no order
   * @returns a promise if there is no room for another task; it resolves when there is
   */
  run(key: unknown, task: Task): void | Promise<void> {
    this.#size++;
    const behind = key === undefined ? undefined : this.#behind.get(key);
    if (behind !== undefined) {
      behind.push(task);
    } else {
      if (key !== undefined) this.#behind.set(key, []);
      this.#ready.push({ key, task });
      this.#start();
    }
    if (this.#size < this.#limit * (1 + WAITING_PER_RUNNING)) return;
    return new Promise((resolve) => this.#room.push(resolve));
  }

  /** Starts tasks in a loop. (If each task started the next, synchronous ones would pile up on the stack.) */
  #start(): void {
    if (this.#starting) return;
    this.#starting = true;
    while (this.#running < this.#limit && this.#ready.length > 0) {
      const { key, task } = this.#ready.shift()!;
      this.#running++;
      const later = task();
      if (later === undefined) this.#end(key);
      else later.then(() => this.#ended(key));
    }
    this.#starting = false;
  }

  #ended(key: unknown): void {
    this.#end(key);
    this.#start();
  }

  #end(key: unknown): void {
    this.#running--;
    this.#size--;
    const behind = this.#behind.get(key);
    if (behind !== undefined) {
      const task = behind.shift();
      if (task === undefined) this.#behind.delete(key);
      else this.#ready.push({ key, task });
    }
    for (const resolve of this.#room.splice(0)) resolve();
  }
}

/** A character for each byte. (What the web calls latin1 is windows-1252; it has one for each all the same.) */
const latin1 = new TextDecoder("latin1");

/**
 * Makes keys comparable by `Map`: bytes and objects with equal content get equal keys.
 *
 * @returns `undefined` if there is no key
 */
export function comparable(key: unknown): unknown {
  if (key === null || key === undefined) return undefined;
  if (key instanceof Uint8Array) return `bytes:${latin1.decode(key)}`;
  return typeof key === "object" ? `json:${JSON.stringify(key)}` : key;
}
