import assert from "node:assert/strict";
import { Cache } from "@slipstream/slipstream";
import { type Batch, type BatchSource, openSource } from "@slipstream/slipstream/protocol";
import { deliver } from "./deliver.ts";

/** A file system of 6 MB, if this machine lets us mount one. */
async function mountSmallDisk(): Promise<{ path: string; unmount: () => Promise<unknown> } | undefined> {
  const path = await Deno.makeTempDir();
  const run = ([command, ...args]: string[]) =>
    new Deno.Command(command!, { args, stdout: "null", stderr: "null" }).output().catch(() => ({ success: false }));
  // A machine of CI may be borrowed; nobody's own is asked for more than is its user's.
  for (const sudo of Deno.env.get("CI") === "true" ? [[], ["sudo", "-n"]] : [[]]) {
    const { success } = await run([...sudo, "mount", "-t", "tmpfs", "-o", "size=6m,mode=777", "tmpfs", path]);
    if (success) return { path, unmount: () => run([...sudo, "umount", path]) };
  }
}

const probe = await mountSmallDisk();
await probe?.unmount();
const reason = probe === undefined ? " (ignored: this user may not mount a file system)" : "";

function onSmallDisk(name: string, fn: (folder: string) => Promise<void>): void {
  Deno.test({
    name: name + reason,
    ignore: probe === undefined,
    fn: async () => {
      const disk = (await mountSmallDisk())!;
      try {
        await fn(disk.path);
      } finally {
        await disk.unmount();
      }
    },
  });
}

/** Takes up space, until it is removed. */
async function fill(folder: string, size = 3_000_000): Promise<() => Promise<void>> {
  await Deno.writeFile(`${folder}/filler`, new Uint8Array(size));
  return () => Deno.remove(`${folder}/filler`);
}

const FULL = /full|disk I\/O|no space/i;
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
      assert.match(String(failed), FULL);
      // What failed is not there, not even in memory; what was there before it still is.
      assert.equal(await cache.get(acknowledged.length), undefined);
      await assert.rejects(cache.set(0, bytes(9)), FULL);
      assert.deepEqual(await cache.get(0), bytes(0));
      await assert.rejects(cache.update("n", () => bytes(1)), FULL);
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

onSmallDisk("a full disk leaves large values whole or not at all, and nothing of them behind", async (folder) => {
  const path = `${folder}/cache`;
  {
    await using cache = new Cache<Uint8Array>(path);
    const free = await fill(folder);
    await cache.set("a", bytes(1, 300_000));
    let failed = 0;
    for (let n = 2; n < 30 && failed < 3; n++) {
      const before = await cache.get("a");
      await cache.set("a", bytes(n, 900_000)).catch((error) => {
        assert.match(String(error), FULL);
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
  assert.deepEqual(kinds, ["b", ...Array(5).fill("c"), "v"]);
});

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
    await assert.rejects(run(), (error) => FULL.test(Deno.inspect(error)));
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
