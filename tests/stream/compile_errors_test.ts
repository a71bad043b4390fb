import { checkMistakes, type Mistake } from "../support/compile_errors.ts";

/** The first lines of the programs below. */
const PREAMBLE = `
import { Cache, Slipstream, Topic } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
declare const app: Slipstream;
declare const customers: Topic, table: Cache<string | null>, totals: WritableStream<number>;
const print = (line: string) => console.log(line);
async function* words(lines: AsyncIterable<string>) { for await (const line of lines) yield line.split(" "); }
async function* lengths(lines: AsyncIterable<string>) { for await (const line of lines) yield line.length; }
`;

/** Common mistakes. */
const MISTAKES: Readonly<Record<string, Mistake>> = {
  "a misspelled option": {
    code: `app.handle([1], { sinks: console.log }, (n) => n);`,
    at: "sinks",
    says: [/'sinks' does not exist in type 'HandleOptions</, /Did you mean to write 'sink'\?/],
  },
  "an unknown option": {
    code: `app.handle([1], { sink: console.log, color: "red" }, (n) => n);`,
    at: "color",
    says: [/'color' does not exist in type 'HandleOptions</],
  },
  "an unknown option of retry": {
    code: `app.handle([1], { retry: { attempts: 2 } }, (n) => n);`,
    at: "attempts",
    says: [/'attempts' does not exist in type 'RetryOptions'/],
  },
  "a sink that is none": {
    code: `app.handle([1], { sink: 5 }, (n) => n);`,
    at: "sink",
    says: [/Type 'number' is not assignable to type 'AnySink'/],
  },
  "a sink of another type": {
    code: `app.handle([1], { sink: print }, (n) => n);`,
    at: "n)",
    says: [/Type 'number' is not assignable to type 'HandlerOutput<string>'/],
  },
  "one of several sinks of another type": {
    code: `app.handle([1], { sink: [console.log, totals] }, (n) => n.toFixed());`,
    at: "n.toFixed()",
    says: [/Type 'string' is not assignable to type 'HandlerOutput<number>'/],
  },
  "a promise of the wrong thing": {
    code: `app.handle([1], { sink: print }, async (n) => await Promise.resolve(n));`,
    at: "await",
    says: [/Type 'Promise<number>' is not assignable/, /Type 'number' is not assignable to type 'string \| void/],
  },
  "a generator of the wrong thing": {
    code: `app.handle([1], { sink: totals }, function* (n) { yield n.toFixed(); });`,
    at: "function*",
    says: [/'Generator<string, .*' is not assignable/, /Type 'string' is not assignable to type 'number'\.$/],
  },
  "a key that may be null": {
    code: `app.handle(customers, { sink: table }, (m) => [m.key, m.value]);`,
    at: "m.key",
    says: [/Type 'string \| null' is not assignable to type 'KeyInput<CacheKey>'/, /Type 'null' is not assignable to/],
  },
  "a first stage that can't take the messages": {
    code: `app.handle([1], { pipe: [words] }, () => {});`,
    at: "words",
    says: [/'PipeStage<number, string\[\]>'/, /Type 'number' is not assignable to type 'string'\.$/],
  },
  "a later stage that can't take what the one before it emits": {
    code: `app.handle(["a b"].values(), { pipe: [words, lengths] }, () => {});`,
    at: "words",
    says: [/'PipeStage<string, string>/, /Type 'string\[\]' is not assignable to type 'string'\.$/],
  },
  "a handler that can't take what the pipe emits": {
    code: `app.handle(["a b"].values(), { pipe: [words] }, (word: string) => word);`,
    at: "(word: string)",
    says: [/Type 'string\[\]' is not assignable to type 'string'/],
  },
  "no handler": {
    code: `app.handle([1], { sink: console.log });`,
    at: "sink",
    says: [/'sink' does not exist in type 'Handler</],
  },
  "a source that can't be read": {
    code: `app.handle(5, () => {});`,
    at: "5",
    says: [
      /Type 'number' is not assignable|Argument of type 'number' is not assignable to parameter of type 'AnySource/,
    ],
  },
};

Deno.test("the compiler names the option, the stage or the value that is wrong in a handle()", async (t) => {
  await checkMistakes(t, PREAMBLE, MISTAKES);
});
