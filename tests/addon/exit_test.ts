import assert from "node:assert/strict";
import { CAN_PRELOAD, runPreloaded } from "../support/run_preloaded.ts";

/** Asks OpenSSL for a random number after all exit handlers that were registered later have run. */
const LAST = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static void last(void) {
  void *crypto = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_NOLOAD);
  if (crypto == NULL) crypto = dlopen("libcrypto.so.1.1", RTLD_NOW | RTLD_NOLOAD);
  if (crypto == NULL) return;
  int (*random)(unsigned char *, int) = dlsym(crypto, "RAND_priv_bytes");
  unsigned char bytes[8];
  if (random(bytes, sizeof bytes) == 1) (void)!write(1, "random to the last\\n", 19);
}
__attribute__((constructor)) static void first(void) { atexit(last); }
`;

/** A program with a TLS client, so that OpenSSL is in use. */
const PROGRAM = `
  import { addon } from "${new URL("../../src/addon/addon.ts", import.meta.url).href}";
  const conf = { "bootstrap.servers": "127.0.0.1:1", "security.protocol": "ssl", "log_level": 0 };
  const client = new addon.Producer(conf, {});
  await new Promise((resolve) => client.connect(resolve));
  Deno.exit(7);
`;

// librdkafka's threads, which continue while a program with open clients ends, use OpenSSL in the same way.
Deno.test({
  name: "a program may end while clients are open: OpenSSL works until the end",
  ignore: !CAN_PRELOAD,
  async fn() {
    const { code, out, err } = await runPreloaded(LAST, PROGRAM);
    assert.deepEqual([code, out], [7, "random to the last\n"], err);
  },
});
