/**
 * The callbacks that the npm client configures with `configureCallbacks()`.
 *
 * @module
 */

import { isObject } from "./arguments.ts";
import { callAndReport } from "./call_and_report.ts";

// deno-lint-ignore ban-types -- the npm client's own callbacks, of any signature
type ProgramCallback = Function;
/** Callbacks by name, such as `rebalance_cb`. */
export type Callbacks = Record<string, ProgramCallback>;

/** The callbacks that librdkafka itself names; those of `event` may have any name. */
const GLOBAL_CALLBACKS = new Set(["rebalance_cb", "offset_commit_cb", "oauthbearer_token_refresh_cb"]);

/** The callbacks of one client. */
export class CallbackRegistry {
  /** All callbacks that are registered, by name, in the order in which they were added. */
  readonly #added = new Map<string, ProgramCallback[]>();
  readonly #current: Callbacks = {};

  /** The function to call for each name: it calls all callbacks of that name. */
  get current(): Readonly<Callbacks> {
    return this.#current;
  }

  /**
   * Adds or removes callbacks. As in the native addon, a name may have several.
   *
   * @throws {Error} If the arguments are not a boolean and an object, or if `global` or `topic` names an unknown callback.
   */
  configure(add: boolean, configs: Readonly<Record<string, Callbacks | undefined>>): void {
    if (typeof add !== "boolean" || !isObject(configs)) throw new Error("Need to specify a callbacks object");
    for (const [name, callback] of Object.entries({ ...configs.global, ...configs.topic })) {
      if (typeof callback === "function" && !GLOBAL_CALLBACKS.has(name)) throw new Error("Invalid callback type");
    }
    for (const group of [configs.global, configs.topic, configs.event]) {
      for (const [name, callback] of Object.entries(group ?? {})) {
        if (typeof callback === "function") this.#configure(name, callback, add);
      }
    }
  }

  #configure(name: string, callback: ProgramCallback, add: boolean): void {
    const added = this.#added.get(name) ?? [];
    const all = add ? [...added, callback] : added.toSpliced(added.indexOf(callback) >>> 0, 1);
    this.#added.set(name, all);
    const [first, ...others] = all;
    if (first === undefined) delete this.#current[name];
    else this.#current[name] = others.length === 0 ? first : callAll(all);
  }
}

/** Makes one callback that calls several. */
function callAll(callbacks: readonly ProgramCallback[]): ProgramCallback {
  const all = (...args: unknown[]) => {
    for (const callback of callbacks) callAndReport(() => callback(...args));
  };
  // Delivery reports carry the payload if one of the callbacks wants it.
  return Object.assign(all, { dr_msg_cb: callbacks.some((callback) => "dr_msg_cb" in callback && callback.dr_msg_cb) });
}
