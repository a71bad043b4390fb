import { deepEqual, equal, throws } from "node:assert/strict";
import { PROPERTIES } from "../../src/topic/conf/properties.ts";
import { generateProperties, staleLine } from "../../tools/generate_properties.ts";
import { readSource } from "../../tools/librdkafka_source.ts";

const TABLE = `# Configuration properties
## Global configuration properties

Property       | C/P | Range           |       Default | Importance | Description
---------------|-----|-----------------|--------------:|------------| --------------------------
client.id      |  *  |                 |       rdkafka | low        | Client identifier. <br>*Type: string*
kinit.cmd      |  *  |                 | kinit \\|\\| x  | low        | Shell command. <br>*Type: string*
linger.ms      |  P  | 0 .. 900000     |             5 | high       | Alias for \`queue.ms\`: Delay. <br>*Type: float*
isolation      |  C  | one, two        |           one | high       | Which. <br>*Type: enum value*
rebalance_cb   |  C  |                 |               | low        | Called. <br>*Type: see dedicated API*

## Topic configuration properties

Property       | C/P | Range           |       Default | Importance | Description
---------------|-----|-----------------|--------------:|------------| --------------------------
acks           |  P  | -1 .. 1000      |            -1 | high       | How many. <br>*Type: integer*
client.id      |  P  |                 |               | low        | Again. <br>*Type: integer*
enable.it      |  C  | true, false     |          true | low        | **DEPRECATED** Alias for \`it\`: x <br>*Type: boolean*
`;

Deno.test("generateProperties() reads scope, level, type, range, values, default and alias of each property", () => {
  const rows = generateProperties(TABLE).split("new Map<string, Property>([\n")[1]!.split("\n");
  deepEqual(rows.map((row) => row.trim()), [
    `["client.id", { scope: "*", level: "global", type: "string" }],`,
    `["kinit.cmd", { scope: "*", level: "global", type: "string" }],`,
    `["linger.ms", { scope: "P", level: "global", type: "float", min: 0, max: 900000, default: 5, aliasOf: "queue.ms" }],`,
    `["isolation", { scope: "C", level: "global", type: "enum", values: ["one","two"] }],`,
    `["rebalance_cb", { scope: "C", level: "global", type: "api" }],`,
    `["acks", { scope: "P", level: "topic", type: "integer", min: -1, max: 1000, default: -1 }],`,
    `["enable.it", { scope: "C", level: "topic", type: "boolean", aliasOf: "it" }],`,
    `]);`,
    ``,
  ]);
});

Deno.test("generateProperties() refuses an unknown type and a text without a table", () => {
  throws(() => generateProperties(TABLE.replace("*Type: float*", "*Type: tensor*")), /linger\.ms has an unknown type/);
  throws(() => generateProperties("# Nothing"), /no table/);
});

Deno.test("staleLine() accepts the committed file and finds a changed, missing or added property", async () => {
  const configuration = await readSource("CONFIGURATION.md");
  const file = await Deno.readTextFile(new URL("../../src/topic/conf/properties.ts", import.meta.url));
  equal(staleLine(file, configuration), undefined);

  const line = file.split("\n").findIndex((text) => text.includes(`["client.id"`)) + 1;
  equal(staleLine(file.replace(/(?<="client\.id", \{ scope: )"\*"/, `"C"`), configuration), line);
  equal(staleLine(file.replace(/^.*"client\.id".*\n/m, ""), configuration), line);
  equal(staleLine(`${file}// more\n`, configuration), file.split("\n").length);
  equal(staleLine("", configuration), 1);
});

Deno.test("PROPERTIES has the properties on which other modules rely", () => {
  deepEqual(PROPERTIES.get("linger.ms"), {
    scope: "P",
    level: "global",
    type: "float",
    min: 0,
    max: 900000,
    default: 5,
    aliasOf: "queue.buffering.max.ms",
  });
  for (const { aliasOf } of PROPERTIES.values()) if (aliasOf !== undefined) equal(PROPERTIES.has(aliasOf), true);
});
