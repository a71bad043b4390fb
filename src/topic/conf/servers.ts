/**
 * The addresses of brokers.
 *
 * @module
 */

/** Addresses as librdkafka has them: a list of them as one text. Anything else stays what it is. */
export function serversText(servers: unknown): unknown {
  return Array.isArray(servers) && servers.every((one) => typeof one === "string") ? servers.join(",") : servers;
}

/** What librdkafka takes before an address. */
const PROTOCOL = /^(plaintext|ssl|sasl_plaintext|sasl_ssl):\/\//i;

/** What is wrong with addresses, as the end of a sentence; `undefined` if nothing is. */
export function serverProblem(servers: unknown): string | undefined {
  if (typeof servers !== "string") return undefined;
  const all = servers.split(",").map((one) => one.trim()).filter((one) => one !== "");
  if (all.length === 0) return 'is empty: give host and port, such as "localhost:9092"';
  for (const one of all) {
    const address = one.replace(PROTOCOL, "");
    if (/:\/\/|\//.test(address)) {
      return `has no URLs: give host and port, such as "localhost:9092": ${JSON.stringify(one)}`;
    }
    const port = /^(?:\[[^\]]*\]|[^:]*):(\d+)$/.exec(address)?.[1];
    if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) {
      return `has a port that is not from 1 to 65535: ${JSON.stringify(one)}`;
    }
    if (/\s/.test(address)) return `needs a comma between addresses: ${JSON.stringify(one)}`;
  }
  return undefined;
}
