/** What an import of the module loads, and what the first Topic loads beside it. */

import assert from "node:assert/strict";

const REPOSITORY = new URL("../../", import.meta.url);

interface Graph {
  readonly roots: readonly string[];
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly isDynamic?: boolean;
    }[];
  }[];
}

/** Runs this Deno in the repository and returns what it prints. */
async function deno(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: REPOSITORY }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** The modules that are loaded with a module: types and what `import()` asks for later are not. */
async function loadedWith(module: string): Promise<Set<string>> {
  const { roots, modules }: Graph = JSON.parse(await deno("info", "--json", module));
  const dependencies = new Map(modules.map((module) => [module.specifier, module.dependencies ?? []]));
  const loaded = new Set(roots);
  for (const specifier of loaded) {
    for (const { code, isDynamic } of dependencies.get(specifier) ?? []) {
      if (code?.specifier !== undefined && isDynamic !== true) loaded.add(code.specifier);
    }
  }
  return loaded;
}

/** The specifiers of modules outside this repository, without Deno's own and the standard library, whose files are small. */
function packagesOf(loaded: Iterable<string>): string[] {
  return [...loaded].filter((specifier) => !/^(file:|node:|npm:\/?deno-std@)/.test(specifier));
}

Deno.test("an import of mod.ts loads no package but the standard library, and not Node's module system", async () => {
  const loaded = [...await loadedWith("mod.ts")];
  assert(loaded.some((specifier) => specifier.endsWith("/src/topic/topic.ts")));
  assert.deepEqual(packagesOf(loaded), []);
  assert.deepEqual(
    loaded.filter((specifier) => specifier === "node:module" || /\/src\/addon\/|ffi\/symbols\.ts$/.test(specifier)),
    [],
  );
});

Deno.test("an import of handle() and stream() loads no package but the standard library", async () => {
  assert.deepEqual(packagesOf(await loadedWith("src/stream/slipstream.ts")), []);
});

Deno.test("a connected Topic loads the npm client's own files and none of its dependencies", async () => {
  const output = await deno(
    "eval",
    "--ext=ts",
    `import Module from "node:module";
    import { Topic } from "./mod.ts";
    import { LocalBroker } from "./src/testing/local_broker.ts";

    await using broker = await LocalBroker.start();
    await using topic = new Topic("loaded", { "bootstrap.servers": broker.bootstrapServers });
    await topic.send("key", "value");
    console.log(JSON.stringify(Object.keys(Module._cache)));`,
  );
  const files: string[] = JSON.parse(output);
  assert(files.some((file) => file.endsWith("/lib/kafka-consumer.js")), output);
  assert.deepEqual(files.filter((file) => !/kafka-javascript\/1\.10\.1\/(lib\/|librdkafka\.js$)/.test(file)), []);
});
