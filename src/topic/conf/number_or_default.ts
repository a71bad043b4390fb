/**
 * Numbers of a configuration that may be left out.
 *
 * @module
 */

import { PROPERTIES } from "./properties.ts";

/**
 * Returns the number that a property is set to, or librdkafka's default.
 *
 * @param values properties by their dotted names
 * @param name the dotted name of a property whose default is a number
 */
export function numberOrDefault(values: Readonly<Record<string, unknown>>, name: string): number {
  const value = values[name] ?? PROPERTIES.get(name)?.default;
  if (value === undefined) throw new TypeError(`${name} has no default that is a number`);
  return Number(value);
}
