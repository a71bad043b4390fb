/**
 * Checks the direction of imports: which room of `src/` may import which, and which rooms may call native code.
 *
 * `stream` knows sources and sinks by the protocol alone, so a program without Kafka loads no native code and needs no
 * `--allow-ffi`. One convenient import would end that unnoticed.
 *
 * Usage: `deno run -A tools/check_imports.ts`. Prints a line for each import that is not allowed, and exits with 1 if there
 * are any.
 *
 * @module
 */

/** For each room, the other rooms, files and packages (`npm:NAME`) that it may import. */
export const EDGES: Readonly<Record<string, readonly string[]>> = {
  // It exports LibraryError, of the ffi room.
  "mod.ts": [
    ...[
      "protocol",
      "stream",
      "topic",
      "topic/conf",
      "topic/read",
      "topic/write",
      "cache",
      "codecs",
      "time",
      "endpoint",
    ],
    ...["kafka", "ffi", "notices"],
  ],
  options: ["npm:deno-std"],
  async: [],
  protocol: ["async"],
  notices: [],
  stream: ["protocol", "options", "async", "notices", "npm:deno-std"],
  topic: ["protocol", "async", "options", "codecs", "kafka", "notices", "topic/conf", "topic/read", "topic/write"],
  "topic/conf": ["options", "kafka"],
  "topic/read": ["protocol", "async", "codecs", "kafka", "notices", "topic/conf"],
  "topic/write": ["protocol", "async", "codecs", "kafka", "notices", "topic/conf"],
  kafka: ["addon", "ffi", "notices"],
  ffi: ["notices"],
  addon: ["ffi", "async", "npm:@confluentinc/kafka-javascript"],
  // The face of a Cache is above its engine, that above the readers of updates, and those above the store. The lower
  // rooms know the face by its keys, ranges and errors, and by what a transaction shows.
  cache: ["protocol", "options", "cache/engine", "cache/updates", "cache/store"],
  "cache/engine": [
    "protocol",
    "cache/updates",
    "cache/store",
    ...["cache_key", "cache_range", "cache_error", "cache_transaction"].map((name) => `src/cache/${name}.ts`),
  ],
  "cache/updates": ["async", "cache/store", "src/cache/cache_key.ts"],
  "cache/store": ["src/cache/cache_key.ts", "src/cache/cache_error.ts"],
  codecs: ["options"],
  time: ["protocol", "async", "options"],
  kafka_javascript: ["addon", "ffi", "npm:@confluentinc/kafka-javascript"],
  endpoint: ["protocol", "async", "options"],
  testing: ["protocol", "src/stream/wrap_readers.ts", "async", "options", "kafka", "ffi"],
  // Only this room imports the package that depends on the SDKs of the clouds.
  schema_registry: ["codecs", "npm:@confluentinc/schemaregistry", "npm:@bufbuild/protobuf"],
  // It loads the package to find librdkafka's sources in it.
  setup: ["ffi", "npm:@confluentinc/kafka-javascript"],
};

/** The rooms that may call native code. */
const NATIVE: readonly string[] = ["ffi", "addon", "setup"];

/** A module of the graph. */
export interface Module {
  /** The path from the root of the repository. */
  readonly path: string;
  readonly source: string;
  /** The paths of the modules that it imports; `npm:NAME` and the like for what is outside the repository. */
  readonly imports: readonly string[];
}

/** Returns a line for each import and each native call that is not allowed. */
export function checkImports(modules: Iterable<Module>): string[] {
  const problems: string[] = [];
  for (const { path, source, imports } of modules) {
    const room = roomOf(path);
    const allowed = EDGES[room];
    if (allowed === undefined) {
      problems.push(
        `${path}: belongs to no room; the rooms are mod.ts and src/{${Object.keys(EDGES).slice(1).join(",")}}/`,
      );
      continue;
    }
    for (const target of imports) {
      const external = /^(npm|jsr|https?|node):/.exec(target)?.[1];
      // Every room may import what Deno has built in, and packages that are not reserved for certain rooms.
      if (external !== undefined && !RESERVED.has(target)) continue;
      if (external === undefined && roomOf(target) === room) continue;
      if (!allowed.includes(target) && !(external === undefined && allowed.includes(roomOf(target)))) {
        problems.push(`${path}: imports ${target}; ${room} may import ${allowed.join(", ") || "nothing but itself"}`);
      }
    }
    if (!NATIVE.includes(room)) {
      for (const [call] of withoutComments(source).matchAll(/\bDeno\s*\.\s*(dlopen|Unsafe\w+)/g)) {
        problems.push(`${path}: calls ${call}; only ${NATIVE.join(" and ")} may call native code`);
      }
    }
  }
  return problems;
}

/** The packages that only the rooms with an edge to them may import. */
const RESERVED = new Set(Object.values(EDGES).flat().filter((target) => target.startsWith("npm:")));

/** The room of a file: its folder below `src` if that is a room, otherwise the first part of that path. */
function roomOf(path: string): string {
  const folder = /^src\/(.+)\/[^/]+$/.exec(path)?.[1];
  return folder === undefined ? path : folder in EDGES ? folder : folder.split("/")[0]!;
}

/** Removes comments, which may mention `Deno.dlopen`. */
function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|(?<![:"'`])\/\/.*$/gm, "");
}

/** The part of `deno info --json` that is read here. */
interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly local?: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

/** Adds the modules of this repository that an entry point imports, also for types, and that they import. */
async function graph(root: URL, entry: string, found: Map<string, Module>): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-lock", entry],
    cwd: root,
  }).output();
  if (!success) throw new Error(`Cannot read the graph of ${entry}:\n${new TextDecoder().decode(stderr)}`);
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as Info;
  const name = (specifier: string) =>
    specifier.startsWith(root.href)
      ? decodeURIComponent(specifier.slice(root.href.length))
      // "npm:/@scope/name@1.2.3/path" is the package, whatever the version and the file.
      : specifier.replace(/^(npm|jsr):\/?((?:@[^/@]+\/)?[^/@]+).*$/, "$1:$2");
  for (const { specifier, error, dependencies = [] } of modules) {
    if (error !== undefined) throw new Error(`Cannot read ${specifier}: ${error}`);
    const path = name(specifier);
    if (!specifier.startsWith(root.href) || found.has(path)) continue;
    const imports = dependencies.flatMap(({ code, type }) => [code?.specifier, type?.specifier])
      .filter((target) => target !== undefined);
    const source = await Deno.readTextFile(new URL(specifier));
    found.set(path, { path, source, imports: [...new Set(imports.map(name))] });
  }
}

if (import.meta.main) {
  const root = new URL("../", import.meta.url);
  const { exports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root))) as {
    exports: Record<string, string>;
  };
  const modules = new Map<string, Module>();
  for (const entry of Object.values(exports)) await graph(root, entry, modules);
  const problems = checkImports(modules.values());
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) Deno.exit(1);
  console.log(`imports: ${modules.size} modules, all in the directions allowed`);
}
