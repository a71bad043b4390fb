/**
 * Runs the examples as a user does.
 *
 * @module
 */

/** The URL of an example. */
export function exampleUrl(name: string): URL {
  return new URL(`../../examples/${name}`, import.meta.url);
}

/** Runs an example, or a changed copy of one, in a directory of its own. */
export async function example(
  name: string | URL,
  args: readonly string[] = [],
  flags: readonly string[] = [],
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...flags, (typeof name === "string" ? exampleUrl(name) : name).pathname, ...args],
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out: out!, err: err! };
}
