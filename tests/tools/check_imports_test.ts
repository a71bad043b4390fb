import { deepEqual, equal, match } from "node:assert/strict";
import { checkImports, type Module } from "../../tools/check_imports.ts";

const module = (path: string, imports: readonly string[] = [], source = ""): Module => ({ path, imports, source });

Deno.test("checkImports() finds no problem in imports that are allowed", () => {
  deepEqual(
    checkImports([
      module("mod.ts", ["src/topic/topic.ts", "src/stream/mod.ts"]),
      module("src/stream/stream.ts", ["src/protocol/protocol.ts", "node:path"]),
      module("src/topic/topic.ts", ["src/protocol/protocol.ts", "src/codecs/mod.ts", "src/kafka/port.ts"]),
      module("src/kafka/npm_client_factory.ts", ["src/addon/load_kafka_javascript.ts"]),
      module("src/cache/cache.ts", [
        "src/protocol/protocol.ts",
        "src/options/problems.ts",
        "src/cache/engine/engine.ts",
      ]),
      module(
        "src/addon/load_kafka_javascript.ts",
        ["npm:@confluentinc/kafka-javascript"],
        "Deno.dlopen(path, SYMBOLS)",
      ),
      module("src/testing/local_broker.ts", ["src/testing/mock_cluster.ts"]),
      module("src/time/timer.ts", [], "// Deno.dlopen is elsewhere\n/** {@linkcode Deno.dlopen} */"),
    ]),
    [],
  );
});

const BROKEN: readonly [what: string, module: Module, expected: RegExp][] = [
  [
    "stream that imports Topic",
    module("src/stream/a.ts", ["src/topic/topic.ts"]),
    /stream may import protocol, options, async, notices, npm:deno-std$/,
  ],
  [
    "topic that imports more of stream than the protocol",
    module("src/topic/a.ts", ["src/stream/b.ts"]),
    /stream\/b\.ts/,
  ],
  ["codecs that import the native room", module("src/codecs/a.ts", ["src/ffi/b.ts"]), /codecs may import/],
  ["cache that imports Topic", module("src/cache/a.ts", ["src/topic/topic.ts"]), /cache may import protocol/],
  ["the store that imports the engine", module("src/cache/store/a.ts", ["src/cache/engine/b.ts"]), /cache\/store may/],
  ["the engine that imports Cache", module("src/cache/engine/a.ts", ["src/cache/cache.ts"]), /cache\/engine may/],
  ["sse() that imports Cache", module("src/endpoint/a.ts", ["src/cache/cache_error.ts"]), /endpoint may import/],
  [
    "the native room that imports Topic",
    module("src/ffi/a.ts", ["src/topic/topic.ts"]),
    /ffi may import notices$/,
  ],
  ["topic that imports the native room", module("src/topic/a.ts", ["src/ffi/b.ts"]), /topic may import/],
  [
    "the port that imports Topic",
    module("src/kafka/a.ts", ["src/topic/topic.ts"]),
    /kafka may import addon, ffi, notices$/,
  ],
  ["writing that imports reading", module("src/topic/write/a.ts", ["src/topic/read/b.ts"]), /topic\/write may import/],
  ["topic that imports the npm client", module("src/topic/a.ts", ["npm:@confluentinc/kafka-javascript"]), /npm:/],
  [
    "a codec that imports the schema registry's client",
    module("src/codecs/a.ts", ["npm:@confluentinc/schemaregistry"]),
    /codecs may import/,
  ],
  ["testing that imports more of stream than it may", module("src/testing/a.ts", ["src/stream/run.ts"]), /testing may/],
  ["a room that imports the front door", module("src/topic/a.ts", ["mod.ts"]), /imports mod\.ts/],
  ["a module in no room", module("src/utils.ts"), /belongs to no room/],
  ["native code outside the native room", module("src/topic/a.ts", [], "Deno . dlopen(x)"), /calls Deno \. dlopen/],
  ["a pointer outside the native room", module("src/cache/a.ts", [], "Deno.UnsafePointerView"), /calls Deno\.Unsafe/],
];

for (const [what, broken, expected] of BROKEN) {
  Deno.test(`checkImports() catches ${what}`, () => {
    const problems = checkImports([module("src/protocol/protocol.ts"), broken]);
    equal(problems.length, 1, problems.join("\n"));
    match(problems[0]!, expected);
  });
}
