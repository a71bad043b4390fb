/**
 * Calls whose first success prepares something for the later ones.
 *
 * @module
 */

/**
 * Runs calls one at a time until one has succeeded, and after that all at once; for each id by itself.
 *
 * The serializers of `@confluentinc/schemaregistry` fetch a schema in their first call and keep it. Without this, many first
 * calls at once would each fetch it.
 *
 * @typeParam Id what the calls prepare, such as a schema's id
 */
export class FirstCalls<Id> {
  /** The ids of which a call has succeeded. */
  readonly #prepared = new Set<Id>();
  /** The call of each other id that is running. These promises never reject. */
  readonly #running = new Map<Id, Promise<unknown>>();

  /** Runs a call: at once, or after the running one if no call of this id has succeeded yet. */
  run<T>(id: Id, call: () => Promise<T>): Promise<T> {
    return this.#prepared.has(id) ? call() : this.#runFirst(id, call);
  }

  async #runFirst<T>(id: Id, call: () => Promise<T>): Promise<T> {
    for (let running = this.#running.get(id); running !== undefined; running = this.#running.get(id)) await running;
    if (this.#prepared.has(id)) return await call();
    const result = call();
    const settled = result.then(() => this.#prepared.add(id), () => {}).then(() => this.#running.delete(id));
    this.#running.set(id, settled);
    return await result;
  }
}
