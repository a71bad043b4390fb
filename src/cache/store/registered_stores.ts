/**
 * Stores at paths of their own, neither files nor remote: imitations of Deno KV, which tests register.
 *
 * @module
 */

/** Opens each registered store, by its path. */
export const registeredStores: Map<string, () => Deno.Kv | Promise<Deno.Kv>> = new Map();
