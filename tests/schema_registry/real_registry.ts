/**
 * Tests of what needs a real schema registry.
 *
 * @module
 */

/** A real registry, which `deno task test:schema-registry` starts; several tests share it, so each has its own topics. */
const REGISTRY = Deno.env.get("SCHEMA_REGISTRY_URL");

/** A test that gets the URL of the registry. */
export function registryTest(name: string, fn: (registryUrl: string) => Promise<void>): void {
  const ignore = REGISTRY === undefined;
  Deno.test({ name: name + (ignore ? " (ignored: no registry)" : ""), ignore, fn: () => fn(REGISTRY!) });
}

/** A topic of a test's own. */
export const newTopic = () => `emoji-${crypto.randomUUID()}`;
