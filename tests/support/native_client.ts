/**
 * Calls the addon's clients directly, without the npm client's JavaScript, for tests.
 *
 * @module
 */

import assert from "node:assert/strict";

// deno-lint-ignore no-explicit-any -- called with what the addon's types forbid
export type Native = any;

/** What a callback is given. */
export function answer(ask: (callback: (...args: unknown[]) => void) => void): Promise<unknown[]> {
  return new Promise((resolve) => ask((...args) => resolve(args)));
}

/** Connects a client, which must succeed. */
export async function connect(client: Native): Promise<void> {
  assert.equal((await answer((callback) => client.connect(callback)))[0], null);
}

/** What disconnecting answers. */
export function disconnect(client: Native): Promise<unknown[]> {
  return answer((callback) => client.disconnect(callback));
}
