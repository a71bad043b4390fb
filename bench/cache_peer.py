"""What bench/cache.ts measures of slipstream-async's Cache (RocksDB): the same rows, as a user of it would write them.

`python cache_peer.py FOLDER COUNT` prints operations a second by row, as JSON. Its calls are synchronous and return
before anything is on disk: what is in flight elsewhere is a loop here, which is the fastest way to use it.
"""

import asyncio
import json
import sys
import time

from slipstream import Cache, handle, stream

folder, count = sys.argv[1], int(sys.argv[2])
path = folder + "/cache"
rows = {}


def key(n):
    return f"key-{n}"


def measure(name, times, began):
    rows[name] = times / (time.perf_counter() - began)


async def increment(cache, some):
    async with cache.transaction(some):
        cache[some] = (cache[some] or 0) + 1


async def main():
    cache = Cache(path)
    began = time.perf_counter()
    for n in range(count):
        cache[key(n)] = n
    measure("set, 1,000 in flight", count, began)
    began = time.perf_counter()
    for n in range(count):
        cache[key(n)] = n
    measure("set, one by one", count, began)
    began = time.perf_counter()
    found = 0
    for n in range(count):
        found += cache[key(n)] == n
    measure("get, hot", count, began)
    assert found == count
    began = time.perf_counter()
    for n in range(count):
        await increment(cache, key(n))
    measure("transactions, distinct keys", count, began)
    few = count // 10

    async def several(times):
        for _ in range(times):
            await increment(cache, "one")

    began = time.perf_counter()
    await asyncio.gather(*(several(few // 16) for _ in range(16)))
    measure("transactions, one key", few // 16 * 16, began)
    assert cache["one"] == few // 16 * 16

    async def source():
        for n in range(count):
            yield f"sink-{n % 10_000}"

    @handle(source(), sink=[cache])
    def counting(some):
        return some, (cache[some] or 0) + 1

    began = time.perf_counter()
    await stream()
    measure("sink in handle()", count, began)
    assert cache["sink-0"] == count // 10_000

    def scan(name):
        began = time.perf_counter()
        found = sum(1 for _ in cache.items())
        measure(name, found, began)
        assert found == count + 1 + 10_000

    scan("scan")
    cache.close()
    cache = Cache(path)
    began = time.perf_counter()
    found = 0
    for n in range(count):
        found += cache[key(n)] == n + 1
    measure("get, cold", count, began)
    assert found == count
    cache.close()
    cache = Cache(path)
    scan("scan, cold")
    cache.close()


asyncio.run(main())
print(json.dumps(rows))
