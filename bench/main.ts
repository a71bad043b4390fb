/**
 * How fast slipstream is, against a C program on the same librdkafka and the same broker, in turns.
 *
 * `deno task bench [--messages 500000] [--rounds 5] [--key-bytes 0] [--only consume|produce|move]`. The broker is that
 * of `KAFKA_BOOTSTRAP_SERVERS`; without it, a Kafka of its own. It never fails by timing: read the ratios.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { run } from "../src/setup/commands.ts";
import { startKafka } from "../tools/kafka.ts";
import { buildPeer } from "./build.ts";
import { rateText, type Result, table } from "./report.ts";

const VALUE_BYTES = 100;
const OURS = new URL("ours.ts", import.meta.url).pathname;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    messages: { type: "string", default: "500000" },
    rounds: { type: "string", default: "5" },
    "key-bytes": { type: "string", default: "0" },
    only: { type: "string" },
  },
});
const messages = whole("--messages", values.messages, 2);
const rounds = whole("--rounds", values.rounds, 1);
const keyBytes = whole("--key-bytes", values["key-bytes"], 0);

/** A claim that is measured: the arguments after the servers, for the topic prefilled and a fresh one. */
interface Claim {
  readonly mode: string;
  readonly codec: string;
  readonly reach?: number;
  readonly needsFresh: boolean;
  readonly args: (filled: string, fresh: string) => string[];
}

const MODES: Omit<Claim, "codec">[] = [
  { mode: "consume", reach: 0.25, needsFresh: false, args: (filled) => [filled, `${messages}`] },
  {
    mode: "produce",
    reach: 0.7,
    needsFresh: true,
    args: (_, fresh) => [fresh, `${messages}`, `${VALUE_BYTES}`, `${keyBytes}`],
  },
  {
    mode: "move",
    reach: 0.3,
    needsFresh: true,
    // The fresh topic's name is as good a name for the group, which must be a new one each time.
    args: (filled, fresh) => [filled, `${messages}`, fresh, fresh],
  },
];
const claims: Claim[] = MODES.filter(({ mode }) => values.only === undefined || values.only === mode)
  .flatMap(({ reach, ...rest }) => [{ ...rest, reach: reach!, codec: "bytes" }, { ...rest, codec: "text" }]);
if (claims.length === 0) throw new TypeError(`--only must be one of ${MODES.map(({ mode }) => mode).join(", ")}`);

function whole(name: string, value: string, min: number): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < min) throw new RangeError(`${name} must be a whole number: ${value}`);
  return number;
}

/** Runs one measurement and says how many messages a second it was. */
async function measure(command: string, args: string[]): Promise<number> {
  const result = JSON.parse(await run(command, args)) as { messages: number; bytes: number; seconds: number };
  // Too fast is easy for what loses messages.
  if (result.messages !== messages || result.bytes !== messages * VALUE_BYTES) {
    throw new Error(`${args.join(" ")}: took ${JSON.stringify(result)} for ${messages} messages`);
  }
  return result.messages / result.seconds;
}

const peer = await buildPeer();
const given = Deno.env.get("KAFKA_BOOTSTRAP_SERVERS");
await using kafka = given ? undefined : await startKafka();
const servers = given || kafka!.bootstrapServers;

const prefix = `slipstream-bench-${crypto.randomUUID().slice(0, 8)}`;
const filled = `${prefix}-filled`;
await run(peer, ["create", servers, filled]);
try {
  // And the one message that goes ahead.
  await run(peer, ["produce", servers, filled, `${messages - 1}`, `${VALUE_BYTES}`, `${keyBytes}`]);
  const results: (Result & { c: number[]; ours: number[] })[] = claims.map(({ mode, codec, reach }) => ({
    claim: `${mode}, ${codec}`,
    reach,
    c: [],
    ours: [],
  }));
  let fresh = 0;
  for (let round = 1; round <= rounds; round++) {
    for (const [index, { mode, codec, needsFresh, args }] of claims.entries()) {
      for (const who of ["c", "ours"] as const) {
        const to = `${prefix}-${++fresh}`;
        if (needsFresh) await run(peer, ["create", servers, to]);
        const rest = [servers, ...args(filled, to)];
        const rate = who === "c"
          ? await measure(peer, [mode, ...rest])
          : await measure(Deno.execPath(), ["run", "-A", "--quiet", OURS, codec, mode, ...rest]);
        results[index]![who].push(rate);
        console.log(`round ${round}: ${results[index]!.claim}, ${who === "c" ? "C" : "ours"}: ${rateText(rate)}`);
        if (needsFresh) await run(peer, ["delete", servers, to]);
      }
    }
  }
  console.log(`\n${messages} messages of ${VALUE_BYTES} bytes, ${rounds} rounds:\n\n${table(results)}`);
  if (values.only === undefined) {
    // In a process of its own, too: nothing has warmed it up, and nothing is left in it.
    console.log(`\nWhat the features of handle() cost, in memory:\n`);
    console.log(await run(Deno.execPath(), ["run", "--quiet", new URL("features.ts", import.meta.url).pathname]));
  }
} finally {
  await run(peer, ["delete", servers, filled]);
}
