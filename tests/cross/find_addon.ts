/**
 * Finds the npm client's native addon for Node, with which this module's addon is compared.
 *
 * @module
 */

import { dirname } from "node:path";
import { addonParts, buildAddon, exists } from "../../tools/node_addon.ts";

/**
 * The path of the addon, or the reason why there is none. It lies beside the librdkafka that `setup` has built. If it is
 * missing, it is built in CI and in test runs on a real Kafka.
 */
export async function findAddon(): Promise<{ readonly path: string } | { readonly reason: string }> {
  const parts = await addonParts();
  if ("reason" in parts) return parts;
  const path = `${dirname(parts.library)}/addon-${parts.modules}.node`;
  if (await exists(path)) return { path };
  if (!Deno.env.has("CI") && !Deno.env.has("KAFKA_BOOTSTRAP_SERVERS")) return { reason: "the addon is not built" };
  await buildAddon(path, parts, "-O0");
  return { path };
}
