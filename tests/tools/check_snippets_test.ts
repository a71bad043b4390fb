import assert from "node:assert/strict";
import { checkPages, isSame, parsePage } from "../../tools/check_snippets.ts";

const page = (...lines: readonly string[]) => lines.join("\n");

Deno.test("parsePage() finds the snippets of a page, with what they print and when they are stopped", () => {
  const { snippets, problems } = parsePage(
    "page.md",
    page(
      "# Page",
      '```ts until="a b"',
      "one();",
      "```",
      "",
      "```text",
      "a b",
      "```",
      "```sh",
      "two",
      "```",
      "```ts",
      "```",
    ),
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(snippets, [
    { file: "page.md", line: 3, code: "one();", until: "a b", output: "a b" },
    { file: "page.md", line: 13, code: "" },
  ]);
});

Deno.test("parsePage() reports a snippet that is ignored without a reason, an unknown word, and a fence without end", () => {
  assert.deepEqual(parsePage("page.md", page("```ts ignore", "```")).problems, [
    "page.md:1: say why in a comment above: <!-- ignored: why -->",
  ]);
  assert.deepEqual(parsePage("page.md", page("<!-- ignored: not yet -->", "", "```ts ignore", "```")), {
    snippets: [],
    problems: [],
  });
  assert.deepEqual(parsePage("page.md", page("```ts never", "```")).problems, ["page.md:1: a fence can't say never"]);
  assert.deepEqual(parsePage("page.md", page("```ts", "one();")).problems, ["page.md:1: the fence has no end"]);
});

Deno.test("isSame() compares lines, whatever blanks they end with", () => {
  assert.ok(isSame("a  \nb\n", "a\nb"));
  assert.ok(!isSame("a\nb\n", "a b"));
});

/** Checks one page in a folder of its own. */
async function check(...lines: readonly string[]): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".md" });
  await Deno.writeTextFile(file, page(...lines));
  const problems = await checkPages([file]);
  await Deno.remove(file);
  return problems.join("\n").replaceAll(file, "page.md");
}

Deno.test("checkPages() runs snippets, gives them a broker, and stops those that do not end", async () => {
  const problems = await check(
    "```ts",
    'import { Topic } from "@slipstream/slipstream";',
    'await using topic = new Topic("t", { "bootstrap.servers": "localhost:29091" }, {',
    '  offset: "beginning",',
    '  until: "end",',
    "});",
    'await topic.send("a", "b");',
    "for await (const { key, value } of topic) console.log(key, value);",
    "```",
    "",
    "```text",
    "a b",
    "```",
    "",
    '```ts until="waiting"',
    'import { handle, stream, timer } from "@slipstream/slipstream";',
    'handle(timer(10), { sink: console.log }, () => "waiting");',
    "await stream();",
    "```",
  );
  assert.equal(problems, "");
});

Deno.test("checkPages() finds what does not compile, throws, prints something else, or ends too early", async () => {
  assert.match(await check("", "```ts", "const n: number = 'one';", "```"), /TS2322[^]*:3:7/);
  assert.match(await check("```ts", "throw new Error('no');", "```"), /page\.md:2: exited with 1[^]*Error: no/);
  assert.match(await check("```ts", "console.assert(1 > 2);", "```"), /Assertion failed/);
  assert.match(
    await check("```ts", "console.log(1);", "```", "", "```text", "2", "```"),
    /page\.md:2: printed\n1\n\ninstead of\n2/,
  );
  assert.match(await check('```ts until="2"', "console.log(1);", "```"), /ended before it had printed "2"/);
});
