// Counts the words of a text file on their way through Kafka: file → topic of words → handler → topic of counts.
//
// Run:    deno task demo [FILE] [--bootstrap-servers HOST:PORT]   (this repository's README, a Kafka in this process)
// Prints: the ten commonest words, how many there are, and messages a second
import { Slipstream, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { wordsOf } from "./words.ts";

const USAGE = "Usage: deno task demo [FILE] [--bootstrap-servers HOST:PORT]";
/** A LocalBroker keeps 5 MB or 100,000 messages of a partition, so words that are not counted yet stay below that. */
const AHEAD_WORDS = 20_000;
const AHEAD_BYTES = 2_000_000;

function parseArgs(args: readonly string[]): { file: string | URL; servers: string | undefined } {
  let file: string | URL = new URL("../README.md", import.meta.url);
  let servers: string | undefined;
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!;
    if (arg === "--bootstrap-servers") servers = args[++index] ?? fail(`${arg} needs HOST:PORT`);
    else if (arg.startsWith("-")) fail(`there is no option ${arg}`);
    else file = arg;
  }
  return { file, servers };
}

function fail(problem: string): never {
  console.error(`demo: ${problem}\n${USAGE}`);
  Deno.exit(2);
}

async function open(file: string | URL): Promise<ReadableStream<Uint8Array>> {
  try {
    return (await Deno.open(file)).readable;
  } catch (error) {
    return fail(`can't read ${file}: ${error instanceof Error ? error.message : error}`);
  }
}

const { file, servers } = parseArgs(Deno.args);
const text = await open(file);
await using broker = servers === undefined ? await LocalBroker.start() : undefined;
const conf = {
  "bootstrap.servers": servers ?? broker!.bootstrapServers,
  // The local broker answers a fetch only when this time is over, even if messages arrive earlier.
  ...(broker === undefined ? {} : { "fetch.wait.max.ms": 5 }),
};
const run = crypto.randomUUID().slice(0, 8);
broker?.createTopic(`demo-words-${run}`);
await using words = new Topic(`demo-words-${run}`, conf, { offset: "beginning" });
await using totals = new Topic(`demo-counts-${run}`, conf);

if (servers !== undefined) console.error(`demo: ${words.name} → ${totals.name} on ${servers}, where both topics stay`);

const counts = new Map<string, number>();
const finished = new AbortController();
let written = 0, ahead = 0, counted = 0, allWritten = false;
let room = Promise.withResolvers<void>();

async function write(): Promise<void> {
  const writer = words.writable.getWriter();
  for await (const word of wordsOf(text)) {
    while (written - counted >= AHEAD_WORDS || ahead >= AHEAD_BYTES) {
      room = Promise.withResolvers();
      await room.promise;
    }
    await writer.write([word, word]);
    written++;
    ahead += 2 * word.length;
  }
  await writer.close();
  allWritten = true;
  if (counted === written) finished.abort();
}

const app = new Slipstream();
app.handle(words, { sink: totals, name: "count" }, (message) => {
  const word = message.value!;
  const count = (counts.get(word) ?? 0) + 1;
  counts.set(word, count);
  counted++;
  ahead -= 2 * word.length;
  if (written - counted < AHEAD_WORDS / 2) room.resolve();
  if (allWritten && counted === written) finished.abort();
  return [word, String(count)];
});

const terminal = Deno.stderr.isTerminal();
const progress = terminal
  ? setInterval(() => Deno.stderr.writeSync(new TextEncoder().encode(`\rcounted ${counted} words`)), 200)
  : undefined;
const started = performance.now();
// A failure on one side ends the other.
const writing = write().catch((error) => {
  finished.abort();
  throw error;
});
await Promise.all([writing, app.stream({ signal: finished.signal })]);
const seconds = (performance.now() - started) / 1000;
clearInterval(progress);
if (terminal) console.error();

// The bars and dashes of a table are counted, and are no words to show.
const commonest = [...counts].filter(([word]) => /[\p{L}\p{N}]/u.test(word))
  .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, 10);
for (const [word, count] of commonest) console.log(`${String(count).padStart(8)} ${word}`);
console.log(`words: ${counted}`);
console.log(`distinct: ${counts.size}`);
console.log(`${Math.round(counted / seconds)} messages/s`);
