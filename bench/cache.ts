/**
 * How fast a Cache is, against that of slipstream-async, the Python module, on RocksDB, and Deno KV by itself: in turns,
 * each in a process of its own.
 *
 * `deno task bench:cache [--count 100000] [--rounds 3]`. The peer's Python is the one that `SLIPSTREAM_PYTHON` names,
 * if `slipstream-async[cache]` is installed there; else one is made in `bench/build`, with the package from PyPI. It
 * never fails by timing: read the ratios.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { run } from "../src/setup/commands.ts";
import { median, rateText } from "./report.ts";

/** What is measured, what share of theirs slipstream wants to reach, or how many a second. */
const ROWS: readonly { name: string; share?: number; rate?: number }[] = [
  { name: "get, hot", share: 1 },
  { name: "get, cold" },
  { name: "set, one by one" },
  { name: "set, 1,000 in flight", share: 0.4, rate: 100_000 },
  { name: "sink in handle()" },
  { name: "transactions, distinct keys", share: 0.5, rate: 50_000 },
  { name: "transactions, one key" },
  { name: "scan", share: 1 },
  { name: "scan, cold" },
];

const { values } = parseArgs({
  args: Deno.args,
  options: { count: { type: "string", default: "100000" }, rounds: { type: "string", default: "3" } },
});
const [count, rounds] = [Number(values.count), Number(values.rounds)];
if (!Number.isSafeInteger(count) || count < 10_000) {
  throw new RangeError(`--count must be 10000 or more: ${values.count}`);
}
if (!Number.isSafeInteger(rounds) || rounds < 1) throw new RangeError(`--rounds must be 1 or more: ${values.rounds}`);

/** A Python that has the peer. */
async function peerPython(): Promise<string> {
  const has = (python: string) =>
    run(python, ["-c", "import slipstream, rocksdict; slipstream.Cache"]).then(() => true, () => false);
  const given = Deno.env.get("SLIPSTREAM_PYTHON");
  if (given !== undefined && await has(given)) return given;
  const venv = new URL("build/python", import.meta.url).pathname;
  const made = `${venv}/bin/python`;
  if (!await has(made)) {
    await run("python3", ["-m", "venv", venv]);
    await run(made, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "slipstream-async[cache]"]);
  }
  return made;
}

const here = (name: string) => new URL(name, import.meta.url).pathname;
const python = await peerPython();
const SIDES: Record<string, (folder: string) => Promise<string>> = {
  ours: (folder) => run(Deno.execPath(), ["run", "-A", "--quiet", here("cache_ours.ts"), "cache", folder, `${count}`]),
  kv: (folder) => run(Deno.execPath(), ["run", "-A", "--quiet", here("cache_ours.ts"), "kv", folder, `${count}`]),
  theirs: (folder) => run(python, [here("cache_peer.py"), folder, `${count}`]),
};

const rates: Record<string, Record<string, number>[]> = { ours: [], kv: [], theirs: [] };
for (let round = 1; round <= rounds; round++) {
  for (const [side, measure] of Object.entries(SIDES)) {
    const folder = await Deno.makeTempDir();
    try {
      rates[side]!.push(JSON.parse(await measure(folder)));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
    console.error(`round ${round} of ${rounds}: ${side}`);
  }
}

console.log(
  "| what | Cache | Python module | ratio | Deno KV | ratio | reach |\n| --- | --- | --- | --- | --- | --- | --- |",
);
for (const { name, share, rate } of ROWS) {
  const [ours, theirs, kv] = ["ours", "theirs", "kv"].map((side) => median(rates[side]!.map((row) => row[name]!))) as [
    number,
    number,
    number,
  ];
  const reached = (share !== undefined && ours >= share * theirs) || (rate !== undefined && ours >= rate);
  const reach = [share && `${share} of theirs`, rate && rateText(rate)].filter(Boolean).join(" or ");
  const cells = [
    name,
    rateText(ours),
    rateText(theirs),
    (ours / theirs).toFixed(2),
    rateText(kv),
    (ours / kv).toFixed(1),
  ];
  console.log(`| ${[...cells, reach && `${reach}: ${reached ? "reached" : "missed"}`].join(" | ")} |`);
}
