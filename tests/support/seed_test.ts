import assert from "node:assert/strict";
import { Random } from "./random.ts";
import { SEED, unseededCalls } from "./seed.ts";

const FOLDER = new URL("..", import.meta.url).pathname;

/** Runs a program that draws, and returns what it prints. */
async function draw(env: Record<string, string>): Promise<string[]> {
  const program = `
    import { Random } from ${JSON.stringify(`${FOLDER}/support/random.ts`)};
    import { SEED } from ${JSON.stringify(`${FOLDER}/support/seed.ts`)};
    console.log(new Random(SEED, "a").next());
    console.log(new Random(SEED, "b").next());`;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", program], env }).output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

Deno.test("a seed repeats the numbers of each purpose", async () => {
  const [a, b] = await draw({ TEST_SEED: "42" });
  assert.deepEqual(await draw({ TEST_SEED: "42" }), [a, b]);
  assert.notEqual(a, b);
  assert.notDeepEqual(await draw({ TEST_SEED: "43" }), [a, b]);
});

Deno.test("programs that a test starts inherit its seed", async () => {
  assert.deepEqual(await draw({}), ["a", "b"].map((purpose) => `${new Random(SEED, purpose).next()}`));
});

Deno.test("a process without TEST_SEED draws a seed and prints it", async () => {
  const { TEST_SEED: _, ...env } = Deno.env.toObject();
  const args = ["eval", `await import(${JSON.stringify(`${FOLDER}/support/seed.ts`)})`];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, env, clearEnv: true }).output();
  assert.match(new TextDecoder().decode(stdout), /^TEST_SEED=\d+\n$/);
});

Deno.test("unseededCalls() finds what no seed repeats", () => {
  assert.deepEqual(
    unseededCalls(`
      const a = Math.random() * 2;
      fc.assert(fc.property(fc.nat(), (n) => check(n)), { numRuns: 5 });
      await fc.assert(
        fc.asyncProperty(fc.nat(), (n) => check(n)),
      );
      fc.sample(fc.nat(), { seed: SEED, numRuns: 5 });
      fc.assert(fc.property(fc.nat(), (n) => check(n)), { seed: SEED });
      fc.check(property, { seed });
    `),
    ["Math.random() * 2;", "fc.assert(fc.property(fc.nat(), (n) => check(n)), { numRuns: 5 })", "fc.assert("],
  );
});

Deno.test("every random test draws from a seed", async () => {
  const unseeded: string[] = [];
  for (const path of await scripts(FOLDER)) {
    if (/\/seed(_test)?\.ts$/.test(path)) continue;
    for (const call of unseededCalls(await Deno.readTextFile(path))) unseeded.push(`${path}: ${call}`);
  }
  assert.deepEqual(unseeded, []);
});

/** The scripts below a folder. */
async function scripts(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) found.push(...await scripts(`${folder}/${name}`));
    else if (/\.(ts|mjs)$/.test(name)) found.push(`${folder}/${name}`);
  }
  return found;
}
