/**
 * The npm client's native addon for Node, to be compared with.
 *
 * @module
 */

import { dirname } from "node:path";
import { addonParts, buildAddon, exists } from "../../tools/addon.ts";

/**
 * Where the addon is: beside the librdkafka that setup has built, which it is linked to. In CI, and beside a real Kafka, it
 * is built if it is not there. Else why there is none.
 */
export async function findAddon(): Promise<{ readonly path: string } | { readonly reason: string }> {
  const parts = await addonParts();
  if ("reason" in parts) return parts;
  const path = `${dirname(parts.library)}/addon-${parts.modules}.node`;
  if (await exists(path)) return { path };
  if (!Deno.env.has("CI") && !Deno.env.has("KAFKA_BOOTSTRAP_SERVERS")) return { reason: "no addon is built" };
  await buildAddon(path, parts, "-O0");
  return { path };
}
