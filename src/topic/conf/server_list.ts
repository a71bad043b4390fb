/**
 * Lists of brokers' addresses, as `bootstrap.servers` has them.
 *
 * @module
 */

const PROPERTY_NAMES: readonly string[] = ["bootstrap.servers", "metadata.broker.list"];

/** The protocols that librdkafka accepts before an address. */
const PROTOCOL = /^(plaintext|ssl|sasl_plaintext|sasl_ssl):\/\//i;

/** Whether a property is a list of brokers' addresses. */
export function isServerList(property: string): boolean {
  return PROPERTY_NAMES.includes(property);
}

/** Joins an array of addresses to the text that librdkafka accepts; returns any other value as it is. */
export function joinedServers(servers: unknown): unknown {
  return Array.isArray(servers) && servers.every((server) => typeof server === "string") ? servers.join(",") : servers;
}

/** Returns what is wrong with a list of addresses, as the end of a sentence; `undefined` if nothing is. */
export function serverListProblem(servers: unknown): string | undefined {
  if (typeof servers !== "string") return undefined;
  const all = servers.split(",").map((server) => server.trim()).filter((server) => server !== "");
  if (all.length === 0) return 'is empty: give host and port, such as "localhost:9092"';
  for (const server of all) {
    const address = server.replace(PROTOCOL, "");
    if (/:\/\/|\//.test(address)) {
      return `must not have URLs: give host and port, such as "localhost:9092": ${JSON.stringify(server)}`;
    }
    const port = /^(?:\[[^\]]*\]|[^:]*):(\d+)$/.exec(address)?.[1];
    if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) {
      return `has a port that is not from 1 to 65535: ${JSON.stringify(server)}`;
    }
    if (/\s/.test(address)) return `needs a comma between addresses: ${JSON.stringify(server)}`;
  }
  return undefined;
}
