/**
 * `deno doc --lint` over every export of `deno.json`, so that a new subpath is not forgotten.
 *
 * @module
 */

const root = new URL("../", import.meta.url);
const { exports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root))) as {
  exports: Record<string, string>;
};
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["doc", "--lint", ...Object.values(exports)],
  cwd: root,
  stderr: "inherit",
  stdout: "null", // The documentation itself; problems are on stderr.
}).output();
Deno.exit(code);
