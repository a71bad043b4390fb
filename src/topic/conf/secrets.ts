/**
 * Properties that are secrets, and must not be printed.
 *
 * @module
 */

/** What is printed instead of a secret. */
export const MASK = "********";

const SECRET = /password|passphrase|secret|\.key\.pem$|^sasl\.oauthbearer\.config$/;

/** Whether the value of a property is a secret. */
export function isSecret(name: string): boolean {
  return SECRET.test(name);
}

/** Returns a frozen copy of properties with their secrets masked, so that no way of printing shows them. */
export function masked<T extends Readonly<Record<string, unknown>>>(properties: T): T {
  return Object.freeze(
    Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, isSecret(name) ? MASK : value])),
  ) as T;
}

/** Returns a text in which the secrets among properties are masked. */
export function redact(text: string, properties: Readonly<Record<string, unknown>>): string {
  return Object.entries(properties).reduce(
    (clean, [name, value]) =>
      isSecret(name) && typeof value === "string" && value !== "" ? clean.replaceAll(value, MASK) : clean,
    text,
  );
}
