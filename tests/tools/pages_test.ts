/** What the pages say is held to the code: links, codes of notices and errors, and texts of errors. */
import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));

const docs = [...Deno.readDirSync(new URL("docs", ROOT))].map(({ name }) => `docs/${name}`);
const PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...docs].filter((page) => page.endsWith(".md"));

/** All source files below a folder. */
function sourcesIn(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) =>
    isDirectory ? sourcesIn(`${folder}/${name}`) : name.endsWith(".ts") ? [`${folder}/${name}`] : []
  );
}

/** The anchors of a page, as GitHub and JSR make them of its headings. */
function anchorsOf(page: string): string[] {
  return [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}

Deno.test("every relative link of the pages leads to a published file, and to a heading in it", () => {
  const wrong = PAGES.flatMap((page) => {
    // Code shows no links.
    const text = read(page).replaceAll(/^```[^]*?^```$/gm, "").replaceAll(/`[^`\n]*`/g, "");
    return [...text.matchAll(/\]\(([^)]*)\)/g)].map(([, link]) => link!).filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path, anchor] = link.split("#");
      const target = path === "" ? new URL(page, ROOT) : new URL(path!, new URL(page, ROOT));
      const name = target.href.slice(ROOT.href.length);
      const isPublished = config.publish.include.some((one) => name === one || name.startsWith(`${one}/`));
      if (!isPublished) return true;
      try {
        return anchor !== undefined && !anchorsOf(Deno.readTextFileSync(target)).includes(anchor);
      } catch {
        return true;
      }
    }).map((link) => `${page}: ${link}`);
  });
  assert.deepEqual(wrong, []);
});

Deno.test("every example is on the front page", () => {
  const readme = read("README.md");
  const examples = [...Deno.readDirSync(new URL("examples", ROOT))].map(({ name }) => name);
  // words.ts is a part of demo.ts, and emoji.avsc of codec_avro.ts.
  const shown = examples.filter((name) => !["words.ts", "emoji.avsc"].includes(name));
  assert.deepEqual(shown.filter((name) => !readme.includes(`](examples/${name})`)), []);
});

/** The cells of a column of the tables below a heading, in backticks. */
function codesUnder(page: string, heading: string, column: number): string[] {
  const section = page.split(/^## /m).find((section) => section.startsWith(`${heading}\n`));
  assert.ok(section !== undefined, `there is no heading ${heading}`);
  return section.split("\n").filter((line) => line.startsWith("|")).flatMap((line) =>
    [...line.split(/(?<!\\)\|/)[column]!.matchAll(/`([^`]*)`/g)].map(([, code]) => code!)
  );
}

/** The members of a union of strings in the code. */
function unionOf(name: string): string[] {
  const source = sourcesIn("src").map(read).find((text) => text.includes(`export type ${name} =`));
  const [, members] = new RegExp(`export type ${name} =([^;]*);`).exec(source ?? "") ?? [];
  return [...(members ?? "").matchAll(/"([^"]*)"/g)].map(([, member]) => member!).sort();
}

const page = read("docs/troubleshooting.md");

Deno.test("the troubleshooting page has every code of notices, and no other", () => {
  const codes = unionOf("NoticeCode");
  assert.ok(codes.length > 5);
  assert.deepEqual(codesUnder(page, "Notices", 1).sort(), codes);
});

Deno.test("the troubleshooting page has every code of CacheError, and no other", () => {
  const codes = unionOf("CacheErrorCode");
  assert.ok(codes.length > 5);
  assert.deepEqual(codesUnder(page, "Errors of a Cache", 1).sort(), codes);
});

Deno.test("every error text on the troubleshooting page is in the code", () => {
  // What a template fills in is "…", and a text of several lines is one.
  let code = sourcesIn("src").map(read).join("\n");
  for (let before = ""; before !== code;) {
    before = code;
    code = code.replaceAll(/\$\{[^{}]*\}/g, "…");
  }
  code = code.replaceAll(/["'`]\s*\+\s*["'`]/g, "");
  const texts = [
    ...codesUnder(page, "Errors of a run", 1),
    ...codesUnder(page, "Errors of Kafka", 1),
    ...codesUnder(page, "Errors of a Cache", 2),
  ];
  assert.ok(texts.length > 30);
  const missing = texts.filter((text) => !text.split("…").every((part) => code.includes(part.trim())));
  assert.deepEqual(missing, []);
});
