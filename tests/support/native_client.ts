/**
 * Calls the addon's clients directly, without the npm client's JavaScript, for tests.
 *
 * @module
 */

import assert from "node:assert/strict";

// deno-lint-ignore no-explicit-any -- called with arguments that the addon's types forbid
export type Native = any;

/** Makes a call that takes a callback, and resolves with the arguments of the callback. */
export function answer(call: (callback: (...args: unknown[]) => void) => void): Promise<unknown[]> {
  return new Promise((resolve) => call((...args) => resolve(args)));
}

/** Connects a client; fails if that fails. */
export async function connect(client: Native): Promise<void> {
  assert.equal((await answer((callback) => client.connect(callback)))[0], null);
}

/** Disconnects a client, and resolves with the arguments of the callback. */
export function disconnect(client: Native): Promise<unknown[]> {
  return answer((callback) => client.disconnect(callback));
}
