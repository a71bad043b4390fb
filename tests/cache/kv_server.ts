/**
 * As much of a KV Connect server as Deno's client asks for: metadata, snapshot reads and atomic writes, in memory.
 *
 * @module
 */

interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly encoding: bigint;
  readonly version: Uint8Array;
}

/** A server that is running. */
export interface KvServer extends AsyncDisposable {
  readonly url: string;
  /** How many requests of each kind it has answered. */
  readonly answered: Record<string, number>;
}

/** Starts it; every so many requests one is turned away with a 503, which a client is to send again. */
export function startKvServer(token: string, { refuseEvery = Infinity } = {}): KvServer {
  const entries = new Map<string, Entry>();
  const answered: Record<string, number> = {};
  let [versions, requests] = [0, 0];
  const answers: Record<string, (body: Uint8Array) => Response> = {
    "/db": () =>
      Response.json({
        version: 3,
        databaseId: "00000000-0000-4000-8000-000000000000",
        endpoints: [{ url: "/v", consistency: "strong" }],
        token,
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      }),
    "/v/snapshot_read": (body) => {
      const sorted = [...entries].sort(([a], [b]) => a < b ? -1 : 1);
      const ranges = fields(body, 1).map((range) => {
        const [start, end] = [hex(field(range, 1)), hex(field(range, 2))];
        const found = sorted.filter(([key]) => key >= start && key < end).map(([, entry]) => entry);
        if (number(range, 4)) found.reverse();
        return message(
          ...found.slice(0, Number(number(range, 3))).map(({ key, value, encoding, version }) =>
            bytes(1, message(bytes(1, key), bytes(2, value), varint(3, encoding), bytes(4, version)))
          ),
        );
      });
      return protobuf(message(...ranges.map((range) => bytes(1, range)), varint(4, 1n), varint(8, 1n)));
    },
    "/v/atomic_write": (body) => {
      const failed = fields(body, 1).some((check) =>
        hex(entries.get(hex(field(check, 1)))?.version ?? new Uint8Array()) !== hex(field(check, 2))
      );
      if (failed) return protobuf(varint(1, 2n));
      const version = new Uint8Array(10);
      new DataView(version.buffer).setUint32(4, ++versions);
      for (const mutation of fields(body, 2)) {
        const key = field(mutation, 1);
        if (number(mutation, 3) === 2n) entries.delete(hex(key));
        else {
          const value = field(mutation, 2);
          entries.set(hex(key), { key, value: field(value, 1), encoding: number(value, 2), version });
        }
      }
      return protobuf(message(varint(1, 1n), bytes(2, version)));
    },
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const body = await request.bytes();
    if (request.headers.get("authorization") !== `Bearer ${token}`) return new Response("who?", { status: 401 });
    if (++requests % refuseEvery === 0) return new Response("later", { status: 503 });
    answered[pathname] = (answered[pathname] ?? 0) + 1;
    return answers[pathname]?.(body) ?? new Response(`no ${pathname}`, { status: 404 });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/db`,
    answered,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function protobuf(body: Uint8Array<ArrayBuffer>): Response {
  return new Response(body, { headers: { "content-type": "application/x-protobuf" } });
}

const hex = (some: Uint8Array) => some.toHex();

/** Every field of a message, by number. */
function decode(data: Uint8Array): Map<number, (bigint | Uint8Array)[]> {
  const found = new Map<number, (bigint | Uint8Array)[]>();
  let at = 0;
  const read = () => {
    let [value, shift] = [0n, 0n];
    for (;;) {
      const byte = data[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
      shift += 7n;
    }
  };
  while (at < data.length) {
    const tag = Number(read());
    // A number, or the length of what follows.
    const value = read();
    const some = found.get(tag >> 3) ?? [];
    found.set(tag >> 3, some);
    some.push(tag % 8 === 0 ? value : data.slice(at, at += Number(value)));
  }
  return found;
}

const fields = (data: Uint8Array, n: number) => (decode(data).get(n) ?? []) as Uint8Array[];
const field = (data: Uint8Array, n: number) => fields(data, n)[0] ?? new Uint8Array();
const number = (data: Uint8Array, n: number) => (decode(data).get(n)?.[0] ?? 0n) as bigint;

function message(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function digits(value: bigint): number[] {
  return value < 128n ? [Number(value)] : [Number(value & 0x7fn) | 0x80, ...digits(value >> 7n)];
}

function varint(n: number, value: bigint): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...digits(BigInt(n << 3)), ...digits(value)]);
}

function bytes(n: number, value: Uint8Array): Uint8Array {
  return message(new Uint8Array([...digits(BigInt(n << 3 | 2)), ...digits(BigInt(value.length))]), value);
}
