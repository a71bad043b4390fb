/** Tests the simulation itself: it must find each mutant. `SIMULATION_MUTANT` chooses mutants by a part of the name. */
import { type Mutant, MUTANTS } from "./mutants.ts";

/** How many programs search for a mutant: more than any of them needs. */
const PROGRAMS = { stream: 60_000, topicCache: 12_000 } as const;
const SEARCHES = { stream: "search.ts", topicCache: "topic_cache_search.ts" } as const;
/** How long they may take: on a busy machine, several times what a quiet one needs. */
const LIMIT_MS = 600_000;
const ROOT = new URL("../../", import.meta.url).pathname;

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** How many programs it takes to find a mutant; `undefined` if they do not find it. */
async function programsFor(
  { name, programs, patches }: Mutant,
  seed: number,
): Promise<{ after: number | undefined; text: string }> {
  const folder = await Deno.makeTempDir();
  try {
    await Promise.all([
      copy(`${ROOT}/src`, `${folder}/src`),
      copy(`${ROOT}/tests/simulation`, `${folder}/tests/simulation`),
      copy(`${ROOT}/tests/support`, `${folder}/tests/support`),
      Deno.copyFile(`${ROOT}/deno.json`, `${folder}/deno.json`),
      Deno.copyFile(`${ROOT}/mod.ts`, `${folder}/mod.ts`),
    ]);
    for (const { file, from, to } of patches) {
      const text = await Deno.readTextFile(`${folder}/${file}`);
      const parts = text.split(from);
      if (parts.length !== 2) throw new Error(`"${name}": ${file} has ${parts.length - 1} times: ${from}`);
      await Deno.writeTextFile(`${folder}/${file}`, parts.join(to));
    }
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "--no-lock",
        "--config",
        `${folder}/deno.json`,
        `${folder}/tests/simulation/${SEARCHES[programs]}`,
        `${PROGRAMS[programs]}`,
        `${seed}`,
        "false",
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const late = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
    const { stdout, stderr, signal } = await child.output();
    clearTimeout(late);
    if (signal !== null) return { after: undefined, text: "it took too long" };
    const last = new TextDecoder().decode(stdout).trim().split("\n").at(-1)!;
    if (!last.startsWith("{")) throw new Error(`"${name}": ${new TextDecoder().decode(stderr)}`);
    return JSON.parse(last);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the simulation finds each mutant", async () => {
  const part = Deno.env.get("SIMULATION_MUTANT") ?? "";
  const seed = Number(Deno.env.get("SIMULATION_SEED") ?? 1);
  const missed: string[] = [];
  for (const mutant of MUTANTS) {
    if (!mutant.name.includes(part)) continue;
    const { after, text } = await programsFor(mutant, seed);
    console.log(`${String(after ?? "not found").padStart(9)}  ${mutant.name}\n           ${text ?? ""}`);
    if (after === undefined) missed.push(mutant.name);
  }
  if (missed.length > 0) throw new Error(`not found: ${missed.join("; ")}`);
});
