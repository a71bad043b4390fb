/** Compares the layout table with the sizes and offsets of a C compiler. */

import { deepEqual, notDeepEqual } from "node:assert/strict";
import { join } from "node:path";
import * as layout from "../../src/ffi/layout.ts";
import { sourceFolder } from "../../tools/librdkafka_source.ts";

const STRUCTS: Readonly<Record<string, layout.Struct>> = {
  "rd_kafka_message_t": layout.MESSAGE,
  "rd_kafka_topic_partition_t": layout.TOPIC_PARTITION,
  "rd_kafka_topic_partition_list_t": layout.TOPIC_PARTITION_LIST,
  "rd_kafka_vu_t": layout.VU,
  "struct rd_kafka_metadata": layout.METADATA,
  "struct rd_kafka_metadata_broker": layout.METADATA_BROKER,
  "struct rd_kafka_metadata_topic": layout.METADATA_TOPIC,
  "struct rd_kafka_metadata_partition": layout.METADATA_PARTITION,
};

const compiler = await findCompiler();
const ignore = compiler === undefined;
const reason = ignore ? " (ignored: no C compiler)" : "";

Deno.test({
  name: `layout.ts has the sizes and offsets of the C compiler${reason}`,
  ignore,
  fn: async () => deepEqual(STRUCTS, await compiledLayout(STRUCTS)),
});

Deno.test({
  name: `a wrong offset in layout.ts is found${reason}`,
  ignore,
  fn: async () => {
    const moved = { ...layout.MESSAGE, fields: { ...layout.MESSAGE.fields, offset: 48 } };
    notDeepEqual({ rd_kafka_message_t: moved }, await compiledLayout({ rd_kafka_message_t: moved }));
  },
});

/** The same structs and fields, with the numbers that a program compiled with rdkafka.h prints. */
async function compiledLayout(
  structs: Readonly<Record<string, layout.Struct>>,
): Promise<Record<string, layout.Struct>> {
  const lines = Object.entries(structs).flatMap(([type, { fields }]) => [
    `printf("%zu\\n", sizeof(${type}));`,
    ...Object.keys(fields).map((field) => `printf("%zu\\n", offsetof(${type}, ${field}));`),
  ]);
  const program = `#include <stddef.h>\n#include <stdio.h>\n#include "rdkafka.h"\nint main(void) {\n${
    lines.join("\n")
  }\nreturn 0;\n}\n`;

  const dir = await Deno.makeTempDir({ prefix: "slipstream-layout-" });
  try {
    const [source, binary] = [join(dir, "layout.c"), join(dir, "layout")];
    await Deno.writeTextFile(source, program);
    await run(compiler!, ["-I", join(await sourceFolder(), "src"), "-o", binary, source]);
    const numbers = (await run(binary, [])).trim().split("\n").map(Number).values();
    const next = () => numbers.next().value!;
    return Object.fromEntries(
      Object.entries(structs).map(([type, { fields }]) => [type, {
        size: next(),
        fields: Object.fromEntries(Object.keys(fields).map((field) => [field, next()])),
      }]),
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function findCompiler(): Promise<string | undefined> {
  for (const name of ["cc", "gcc", "clang"]) {
    try {
      if ((await new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" }).output()).success) {
        return name;
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

async function run(command: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdout: "piped", stderr: "piped" })
    .output();
  if (!success) throw new Error(`${command} failed:\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
