import assert from "node:assert/strict";
import { type Group, GroupCommit } from "../../src/cache/engine/group_commit.ts";

const write = (id: string, bytes = 16, keyBytes = 10) => ({
  id,
  key: [id],
  keyBytes,
  stored: { data: 1, expiresAt: 0, bytes },
});

/** A GroupCommit whose commits the test ends. */
function manual({ logged = false } = {}) {
  const waiting: { group: Group; resolve: () => void; reject: (reason: unknown) => void }[] = [];
  const commits = new GroupCommit({
    prefixBytes: 5,
    logged,
    commit: (group) => new Promise((resolve, reject) => waiting.push({ group, resolve, reject })),
  });
  /** Waits until a group is being committed. */
  const next = async () => {
    while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    return waiting.shift()!;
  };
  return { commits, next };
}

Deno.test("a failed commit rejects the writes of its group and no others", async () => {
  const { commits, next } = manual();
  const first = commits.add([write("a")], []);
  const failing = await next();
  const second = commits.add([write("b")], []);
  assert.equal(commits.add([write("a")], []), second);
  failing.reject(new Error("database or disk is full"));
  await assert.rejects(first.promise, /disk is full/);
  (await next()).resolve();
  await second.promise;
  assert.deepEqual([...second.writes.keys()], ["b", "a"]);
  assert.deepEqual([first.state, second.state], ["failed", "committed"]);
});

Deno.test("a group stays within every limit of an atomic, and has one write for each key", () => {
  const groups = (count: number, make: (n: number) => ReturnType<typeof write>, { commits } = manual()) =>
    new Set(Array.from({ length: count }, (_, n) => commits.add([make(n)], [])));
  for (const group of groups(5000, (n) => write(`m${n}`))) assert.ok(group.writes.size <= 1000);
  for (const group of groups(100, (n) => write(`v${n}`, 60_000))) {
    assert.ok([...group.writes.values()].reduce((sum, { stored }) => sum + stored!.bytes, 0) <= 819_200);
  }
  for (const group of groups(500, (n) => write(`k${n}`, 16, 1700))) assert.ok(group.writes.size * 1700 <= 81_920);
  const same = groups(5000, () => write("same"));
  assert.ok(same.size <= 2);
});

Deno.test("a newer value replaces an older one in the newest group only", async () => {
  const { commits, next } = manual();
  const first = commits.add([write("a")], []);
  assert.equal(commits.add([write("a", 100)], []), first);
  const committing = await next();
  assert.equal(committing.group.writes.get("a")!.stored!.bytes, 100);
  const second = commits.add([write("a", 200)], []);
  assert.notEqual(second, first);
  // A group with enough keys still lets newer values replace its own, until another group begins.
  for (let n = 0; n < 499; n++) assert.equal(commits.add([write(`${n}`)], []), second);
  assert.equal(commits.add([write("a", 300)], []), second);
  const third = commits.add([write("new")], []);
  assert.notEqual(third, second);
  assert.equal(commits.add([write("a", 400)], []), third);
  assert.deepEqual([first, second, third].map(({ writes }) => writes.get("a")?.stored?.bytes), [100, 300, 400]);
  committing.resolve();
  (await next()).resolve();
  (await next()).resolve();
  await commits.flush();
});

Deno.test("room() returns a promise while too much waits for the disk", async () => {
  const { commits, next } = manual();
  let count = 0;
  while (commits.room() === undefined) commits.add([write(`${count++}`)], []);
  assert.ok(count > 1000 && count <= 50_000);
  const room = commits.room();
  (await next()).resolve();
  await room;
  assert.equal(commits.room(), undefined);
  const last = commits.add([write("last")], []);
  while (last.state === "waiting") {
    (await next()).resolve();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  if (last.state === "committing") (await next()).resolve();
  await commits.flush();
});
