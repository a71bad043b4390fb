/**
 * Codecs that get ready with their first value.
 *
 * @module
 */

/**
 * Runs first calls one at a time: what gets ready in its first call is not made ready by two at once. A call is a first
 * one until another of the same id has succeeded; if it fails, the next one may do better.
 */
export class FirstCalls<Id> {
  /** Those of which a call has succeeded. */
  readonly #ready = new Set<Id>();
  /** The first calls under way. Settle without an error. */
  readonly #running = new Map<Id, Promise<unknown>>();

  /** Runs a call: at once, unless a first one of the same id is under way. */
  run<T>(id: Id, call: () => Promise<T>): Promise<T> {
    return this.#ready.has(id) ? call() : this.#runFirst(id, call);
  }

  async #runFirst<T>(id: Id, call: () => Promise<T>): Promise<T> {
    for (let running = this.#running.get(id); running !== undefined; running = this.#running.get(id)) await running;
    if (this.#ready.has(id)) return await call();
    const result = call();
    const settled = result.then(() => this.#ready.add(id), () => {}).then(() => this.#running.delete(id));
    this.#running.set(id, settled);
    return await result;
  }
}
