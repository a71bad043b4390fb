/**
 * A schema registry in this process: what its REST API answers for subjects, versions and ids.
 *
 * @module
 */

interface Stored {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  readonly schema: string;
  readonly schemaType: string;
  readonly references: readonly unknown[];
}

type Posted = { schema: string; schemaType?: string; references?: readonly unknown[] };

/** A registry on loopback. */
export class RegistryServer implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stored: Stored[] = [];
  /** What was asked for: method and path. */
  readonly requests: string[] = [];
  /** Who may ask: `"user:password"`; all when left out. */
  readonly #credentials: string | undefined;

  constructor(credentials?: string) {
    this.#credentials = credentials;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => this.#answer(request),
    ) as Deno.HttpServer<Deno.NetAddr>;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    this.requests.push(`${request.method} ${pathname}`);
    if (
      this.#credentials !== undefined && request.headers.get("authorization") !== `Basic ${btoa(this.#credentials)}`
    ) {
      return problem(401, 40101, "Unauthorized");
    }
    const [kind, name, what, version] = pathname.split("/").slice(1).map(decodeURIComponent);
    const posted = request.method === "POST" ? await request.json() as Posted : undefined;
    if (kind === "subjects" && name !== undefined) {
      const its = this.#stored.filter(({ subject }) => subject === name);
      if (posted !== undefined) {
        const same = its.find(({ schema }) => schema === posted.schema);
        if (what === "versions") return Response.json(same ?? this.#register(name, posted));
        if (its.length === 0) return problem(404, 40401, `Subject '${name}' not found.`);
        return same === undefined ? problem(404, 40403, "Schema not found") : Response.json(same);
      }
      if (what === "versions" && version !== undefined) {
        const found = version === "latest" ? its.at(-1) : its.find((one) => String(one.version) === version);
        return found === undefined ? problem(404, 40402, "Version not found.") : Response.json(found);
      }
    }
    if (kind === "schemas" && name === "ids") {
      const found = this.#stored.find(({ id }) => String(id) === what);
      return found === undefined
        ? problem(404, 40403, "Schema not found")
        : Response.json({ ...found, subject: searchParams.get("subject") ?? found.subject });
    }
    return problem(404, 404, "HTTP 404 Not Found");
  }

  /** One id a schema, whatever the subjects; one version a subject and schema. */
  #register(subject: string, { schema, schemaType = "AVRO", references = [] }: Posted): Stored {
    const version = this.#stored.filter((one) => one.subject === subject).length + 1;
    const known = this.#stored.find((one) => one.schema === schema && one.schemaType === schemaType);
    const id = known?.id ?? 100_001 + new Set(this.#stored.map(({ id }) => id)).size;
    const stored = { subject, version, id, schema, schemaType, references };
    this.#stored.push(stored);
    return stored;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function problem(status: number, code: number, message: string): Response {
  return Response.json({ error_code: code, message }, { status });
}
