/**
 * Holds the direction of imports: which room of `src/` may look into which, and who may touch native code.
 *
 * `stream` knows sources and sinks by the protocol alone, so a program without Kafka loads no native code and needs no
 * `--allow-ffi`; that lasts only as long as something refuses the one convenient import that ends it.
 *
 * Usage: `deno run -A tools/check_imports.ts`; exits with 1 and one line for each import that is not allowed.
 *
 * @module
 */

const PROTOCOL = "src/stream/protocol.ts";
const SETTLEMENT = "src/stream/settlement.ts";

/** For each room, the other rooms, files and packages (`npm:NAME`) that it may import. */
export const EDGES: Readonly<Record<string, readonly string[]>> = {
  // The front door shows the native room's error, for those who catch it.
  "mod.ts": [
    ...["stream", "topic", "topic/conf", "topic/read", "topic/write", "cache", "codecs", "time", "endpoint"],
    ...["kafka", "ffi", "notices"],
  ],
  options: ["npm:deno-std"],
  async: [],
  notices: [],
  stream: ["options", "async", "notices", "npm:deno-std"],
  topic: [PROTOCOL, "options", "codecs", "kafka", "notices", "topic/conf", "topic/read", "topic/write"],
  "topic/conf": ["options", "kafka"],
  "topic/read": [PROTOCOL, "async", "codecs", "kafka", "notices", "topic/conf"],
  "topic/write": [PROTOCOL, SETTLEMENT, "async", "codecs", "kafka", "notices", "topic/conf"],
  kafka: ["addon", "ffi", "notices"],
  ffi: ["notices"],
  addon: ["ffi", "npm:@confluentinc/kafka-javascript"],
  // The face of a Cache is above its engine, that above the readers of updates, and those above the store. The lower
  // rooms know the face by its keys, ranges and errors, and by what a transaction shows.
  cache: [PROTOCOL, SETTLEMENT, "options", "cache/engine", "cache/updates", "cache/store"],
  "cache/engine": [
    SETTLEMENT,
    "cache/updates",
    "cache/store",
    ...["cache_key", "cache_range", "cache_error", "cache_transaction"].map((name) => `src/cache/${name}.ts`),
  ],
  "cache/updates": ["async", "cache/store", "src/cache/cache_key.ts"],
  "cache/store": ["src/cache/cache_key.ts", "src/cache/cache_error.ts"],
  codecs: [],
  time: [PROTOCOL, "async", "options"],
  kafka_javascript: ["addon", "ffi", "npm:@confluentinc/kafka-javascript"],
  endpoint: [PROTOCOL, "options"],
  testing: [PROTOCOL, "src/stream/wrap_readers.ts", "kafka", "ffi"],
  // The only room that the package with the clouds' SDKs is fetched for.
  schema_registry: ["codecs", "npm:@confluentinc/schemaregistry", "npm:@bufbuild/protobuf"],
  // It finds the sources by loading the package, which carries them.
  setup: ["ffi", "npm:@confluentinc/kafka-javascript"],
};

/** The rooms that may call native code. */
const NATIVE: readonly string[] = ["ffi", "addon", "setup"];

/** A module of the graph, as far as the check reads it. */
export interface Module {
  /** Path from the root of the repository. */
  readonly path: string;
  readonly source: string;
  /** What it imports: paths from the root, or `npm:NAME` and the like for what is outside. */
  readonly imports: readonly string[];
}

/** The imports that are not allowed and the native calls that are out of place, one line each; none if all is well. */
export function checkImports(modules: Iterable<Module>): string[] {
  const problems: string[] = [];
  for (const { path, source, imports } of modules) {
    const room = roomOf(path);
    const allowed = EDGES[room];
    if (allowed === undefined) {
      problems.push(`${path}: is in no room; mod.ts and src/{${Object.keys(EDGES).slice(1).join(",")}}/ are`);
      continue;
    }
    for (const target of imports) {
      const external = /^(npm|jsr|https?|node):/.exec(target)?.[1];
      // A built-in of the runtime, and packages that no room is set apart for, are anyone's.
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

const RESERVED = new Set(Object.values(EDGES).flat().filter((target) => target.startsWith("npm:")));

/** The room a file is in: its folder below `src`, if that is a room, or else the first part of it. */
function roomOf(path: string): string {
  const folder = /^src\/(.+)\/[^/]+$/.exec(path)?.[1];
  return folder === undefined ? path : folder in EDGES ? folder : folder.split("/")[0]!;
}

/** Leaves the code; a comment may well say `Deno.dlopen`. */
function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|(?<![:"'`])\/\/.*$/gm, "");
}

/** What `deno info --json` prints, as far as it is read here. */
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

/** The modules of this repository that an entry point reaches. Type-only imports count: they are edges too. */
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
