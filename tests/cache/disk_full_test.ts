import assert from "node:assert/strict";
import { Cache, CacheError, Slipstream } from "@slipstream/slipstream";
import { type Batch, type BatchSource, openSource } from "@slipstream/slipstream/protocol";
import { deliver } from "../support/deliver.ts";

interface SmallDisk {
  readonly path: string;
  remount(mode: "ro" | "rw"): Promise<{ readonly success: boolean }>;
  unmount(): Promise<unknown>;
}

/** A file system of 6 MB, if this machine lets us mount one. */
async function mountSmallDisk(): Promise<SmallDisk | undefined> {
  const path = await Deno.makeTempDir();
  const run = ([command, ...args]: string[]) =>
    new Deno.Command(command!, { args, stdout: "null", stderr: "null" }).output().catch(() => ({ success: false }));
  // Only a machine of CI is asked to mount with sudo.
  for (const sudo of Deno.env.get("CI") === "true" ? [[], ["sudo", "-n"]] : [[]]) {
    const { success } = await run([...sudo, "mount", "-t", "tmpfs", "-o", "size=6m,mode=777", "tmpfs", path]);
    if (!success) continue;
    return {
      path,
      remount: (mode) => run([...sudo, "mount", "-o", `remount,${mode}`, path]),
      unmount: () => run([...sudo, "umount", path]),
    };
  }
}

const probe = await mountSmallDisk();
await probe?.unmount();
const reason = probe === undefined ? " (ignored: this user may not mount a file system)" : "";

function onSmallDisk(name: string, fn: (folder: string, remount: SmallDisk["remount"]) => Promise<void>): void {
  Deno.test({
    name: name + reason,
    ignore: probe === undefined,
    fn: async () => {
      const disk = (await mountSmallDisk())!;
      try {
        await fn(disk.path, disk.remount);
      } finally {
        await disk.unmount();
      }
    },
  });
}

/** A file that takes up space until it is removed. */
async function fill(folder: string, size = 3_000_000): Promise<() => Promise<void>> {
  await Deno.writeFile(`${folder}/filler`, new Uint8Array(size));
  return () => Deno.remove(`${folder}/filler`);
}

/** Asserts that an error is the one of a full disk. */
function isFull(error: unknown): true {
  assert.ok(error instanceof CacheError, Deno.inspect(error));
  assert.deepEqual([error.code, error.fatal], ["full", true]);
  assert.match(error.message, /^The Cache \/.+\/cache can't be .+ full\. Free some space/);
  return true;
}
const bytes = (n: number, size = 50_000) => new Uint8Array(size).fill(n);

onSmallDisk(
  "a full disk fails what does not fit, loses none that was acknowledged, and goes on with space",
  async (folder) => {
    const acknowledged: number[] = [];
    let failed: unknown;
    {
      await using cache = new Cache<Uint8Array | number>(`${folder}/cache`);
      const free = await fill(folder);
      for (let n = 0; failed === undefined && n < 200; n++) {
        await cache.set(n, bytes(n)).then(() => acknowledged.push(n), (error) => failed = error);
      }
      isFull(failed);
      // The failed write is not there, not even in memory; the value before it is.
      assert.equal(await cache.get(acknowledged.length), undefined);
      await assert.rejects(cache.set(0, bytes(9)), isFull);
      assert.deepEqual(await cache.get(0), bytes(0));
      await assert.rejects(cache.update("n", () => bytes(1)), isFull);
      assert.equal((await Array.fromAsync(cache.keys())).length, acknowledged.length);
      await free();
      await cache.set("after", bytes(1));
      await cache.update("n", () => 1);
    }
    await using cache = new Cache<Uint8Array | number>(`${folder}/cache`);
    assert.ok(acknowledged.length > 5);
    for (const n of acknowledged) assert.deepEqual(await cache.get(n), bytes(n));
    assert.deepEqual(await cache.getMany(["after", "n"]), [bytes(1), 1]);
  },
);

onSmallDisk(
  "on a full disk, a large value is written as a whole or not at all, and leaves no chunks",
  async (folder) => {
    const path = `${folder}/cache`;
    {
      await using cache = new Cache<Uint8Array>(path);
      const free = await fill(folder);
      await cache.set("a", bytes(1, 300_000));
      let failed = 0;
      for (let n = 2; n < 30 && failed < 3; n++) {
        const before = await cache.get("a");
        await cache.set("a", bytes(n, 900_000)).catch((error) => {
          isFull(error);
          failed++;
        });
        if (failed > 0) assert.deepEqual(await cache.get("a"), before);
        await cache.set(["fill", n], bytes(n, 200_000)).catch(() => failed++);
      }
      assert.equal(failed >= 3, true);
      await free();
      await cache.set("a", bytes(7, 300_000));
      await cache.deleteRange({ prefix: "fill" });
    }
    const kv = await Deno.openKv(path);
    const kinds = (await Array.fromAsync(kv.list({ prefix: [] }))).map(({ key }) => key[1]);
    kv.close();
    assert.deepEqual(kinds, ["b", ...Array(5).fill("c"), "l", "v"]);
  },
);

onSmallDisk(
  "a full disk fails the deliveries that are not on it, so that no batch of theirs is done",
  async (folder) => {
    const path = `${folder}/cache`;
    let done = 0;
    const source: BatchSource<number> = {
      [openSource]() {
        let next = done;
        const batches = new ReadableStream<Batch<number>>({
          pull(controller) {
            if (next >= 40) return controller.close();
            const messages = [next++, next++];
            const offset = next;
            controller.enqueue({ messages, done: () => void (done = offset) });
          },
        }, { highWaterMark: 0 });
        return { batches, stop() {}, close: () => Promise.resolve() };
      },
    };
    const run = async () => {
      await using cache = new Cache<Uint8Array>(path);
      await deliver(source, cache, (n) => [n, bytes(n)]);
    };
    const free = await fill(folder, 4_500_000);
    await assert.rejects(run(), (error: Error) => isFull(error instanceof CacheError ? error : error.cause));
    const first = done;
    assert.ok(first > 0 && first < 40, `${first}`);
    await free();
    {
      await using cache = new Cache<Uint8Array>(path);
      for (let n = 0; n < first; n++) assert.deepEqual(await cache.get(n), bytes(n));
    }
    await run();
    assert.equal(done, 40);
    await using cache = new Cache<Uint8Array>(path);
    assert.deepEqual(
      await cache.getMany(Array.from({ length: 40 }, (_, n) => n)),
      Array.from({ length: 40 }, (_, n) => bytes(n)),
    );
  },
);

onSmallDisk(
  "whatever writes to a full disk fails with a CacheError, and counts nothing that is not on it",
  async (folder) => {
    const path = `${folder}/cache`;
    const count = 10;
    const log = { limit: 1000 };
    {
      await using cache = new Cache<Uint8Array>(path, { log });
      await using plain = new Cache<Uint8Array>(path, { prefix: "plain" });
      await cache.emit("before", bytes(1));
      await plain.set("before", bytes(1));
      const free = await fill(folder);
      for (let n = 0; n < 200; n++) if (await plain.set(["fill", n], bytes(n)).then(() => false, isFull)) break;
      const ways: Record<string, () => Promise<unknown>> = {
        set: () => plain.set("a", bytes(2)),
        emit: () => cache.emit("a", bytes(2)),
        update: () => plain.update("before", () => bytes(2)),
        transaction: () => plain.transaction([["a"], ["b"]], (tx) => (tx.set("a", bytes(2)), tx.set("b", bytes(2)))),
        "a large value": () => plain.set("large", bytes(2, 300_000)),
        writable: () => ReadableStream.from([["a", bytes(2)] as const]).pipeTo(plain.writable),
      };
      for (const [name, write] of Object.entries(ways)) {
        await assert.rejects(write(), isFull, name);
        if (name !== "writable") await assert.rejects(Promise.all([write(), write()]), isFull, name);
      }
      // Under every error policy, and in a run with two sinks.
      for (const onError of ["fail", "skip"] as const) {
        const app = new Slipstream();
        app.handle(["a", "b"], { sink: [plain, cache], onError }, (key) => [key, bytes(3)] as const);
        await assert.rejects(app.stream(), (error: Error) => isFull(error instanceof CacheError ? error : error.cause));
      }
      // The acknowledged entries can be read, and there are no others.
      for (const some of [plain, cache]) {
        assert.deepEqual(await some.getMany(["a", "b", "large", "before"]), [
          undefined,
          undefined,
          undefined,
          bytes(1),
        ]);
      }
      assert.deepEqual((await Array.fromAsync(cache.keys())).length, 1);
      await free();
      for (let n = 0; n < count; n++) await cache.emit("n", bytes(n, 10));
      await plain.set("a", bytes(4));
    }
    await using cache = new Cache<Uint8Array>(path, { log });
    await using plain = new Cache<Uint8Array>(path, { prefix: "plain" });
    assert.deepEqual(await plain.getMany(["a", "before"]), [bytes(4), bytes(1)]);
    // The numbers of the log have no gap.
    const numbers: unknown[] = [];
    for await (const [, , sequence] of cache.updates({ from: 1 })) if (numbers.push(sequence) === count + 1) break;
    assert.deepEqual(numbers, Array.from({ length: count + 1 }, (_, n) => n + 1));
  },
);

onSmallDisk(
  "opening a Cache on a full or read-only disk fails with a CacheError that says so",
  async (folder, remount) => {
    for (let n = 0, size = 4_000_000; size > 0; size = size >> 1) {
      // After the last file, less than a page is left.
      await Deno.writeFile(`${folder}/filler ${n++}`, new Uint8Array(size)).catch(() => {});
    }
    await assert.rejects(new Cache(`${folder}/cache`).set("a", 1), isFull);
    for (const { name } of await Array.fromAsync(Deno.readDir(folder))) await Deno.remove(`${folder}/${name}`);
    {
      await using cache = new Cache<number>(`${folder}/cache`);
      await cache.set("a", 1);
    }
    assert.ok((await remount("ro")).success);
    for (const shared of [false, true]) {
      const cache = new Cache<number>(`${folder}/cache`, { shared });
      await assert.rejects(cache.set("a", 2), (error: unknown) => {
        assert.ok(error instanceof CacheError, Deno.inspect(error));
        assert.deepEqual([error.code, error.fatal], ["read-only", true]);
        assert.match(error.message, /^The Cache \/.+\/cache can't be .*read-only\. Let the user/);
        return true;
      });
    }
    assert.ok((await remount("rw")).success);
    await using cache = new Cache<number>(`${folder}/cache`);
    assert.equal(await cache.get("a"), 1);
  },
);

Deno.test({
  name: "writes to a file that may not grow reject with a CacheError, and acknowledged writes stay",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const path = `${await Deno.makeTempDir()}/cache`;
    const script = `
      const { Cache } = await import(${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)});
      const cache = new Cache(${JSON.stringify(path)});
      for (let n = 0; n < 100; n++) {
        try {
          await cache.set(n, new Uint8Array(50_000).fill(n));
        } catch (error) {
          console.log(JSON.stringify([n, error.name, error.code, error.fatal, error.message]));
          Deno.exit();
        }
      }`;
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", 'trap "" XFSZ; ulimit -f 1000; exec "$0" "$@"', Deno.execPath(), "eval", "--config", config, script],
    }).output();
    const said = new TextDecoder().decode(stdout);
    assert.match(said, /^\[/, new TextDecoder().decode(stderr));
    const [n, name, code, fatal, message] = JSON.parse(said);
    assert.deepEqual([name, code, fatal], ["CacheError", "io", true]);
    assert.ok(n > 2 && message.includes(path) && message.includes("ulimit -f"), said);
    await using cache = new Cache<Uint8Array>(path);
    for (let i = 0; i < n; i++) assert.deepEqual(await cache.get(i), bytes(i));
    assert.equal(await cache.get(n), undefined);
    await cache.set(n, bytes(1));
  },
});
