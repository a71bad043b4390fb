import { deepEqual } from "node:assert/strict";
import { checkUnbound } from "../../tools/check_unbound.ts";

const EXPORTED = ["rd_kafka_new", "rd_kafka_poll", "rd_kafka_share_new", "rd_kafka_share_poll"];
const BOUND = new Set(["rd_kafka_new"]);
const PAGE = `# Not bound

Names such as \`rd_kafka_anything\` may be in the text.

## It calls back

- \`rd_kafka_poll\`: \`rd_kafka_new\` does it

## Share groups

- \`rd_kafka_share_*\`

The end: \`rd_kafka_end\`.
`;

Deno.test("checkUnbound() finds no problem on a page that lists all unbound functions", () => {
  deepEqual(checkUnbound(PAGE, EXPORTED, BOUND), []);
});

const BROKEN: readonly [what: string, page: string, exported: string[], bound: string[], expected: string[]][] = [
  ["a function that is missing", PAGE, ["rd_kafka_flush"], [], ["rd_kafka_flush is neither bound nor on the page"]],
  ["a bound function on the page", PAGE, [], ["rd_kafka_poll"], [
    "rd_kafka_poll is bound, but the page lists rd_kafka_poll",
  ]],
  ["a pattern that matches a bound function", PAGE, [], ["rd_kafka_share_new"], [
    "rd_kafka_share_new is bound, but the page lists rd_kafka_share_*",
  ]],
  [
    "a function that is listed twice",
    PAGE.replace("`rd_kafka_poll`", "`rd_kafka_poll`, `rd_kafka_share_poll`"),
    [],
    [],
    [
      "rd_kafka_share_poll is on the page twice: rd_kafka_share_poll, rd_kafka_share_*",
    ],
  ],
  ["a name that the header lacks", PAGE.replace("`rd_kafka_poll`", "`rd_kafka_poll`, `rd_kafka_pole`"), [], [], [
    "rd_kafka_pole is not in the header",
  ]],
  ["a list without a reason", PAGE.replace("## Share groups", "## "), [], [], [
    "rd_kafka_share_* and the names after it have no reason",
  ]],
  ["a reason without a list", PAGE.replace("## Share", "## Other\n\nNothing.\n\n## Share"), [], [], [
    '"Other" has no list',
  ]],
];

for (const [what, page, exported, bound, expected] of BROKEN) {
  Deno.test(`checkUnbound() catches ${what}`, () => {
    deepEqual(checkUnbound(page, [...EXPORTED, ...exported], new Set([...BOUND, ...bound])), expected);
  });
}
