import assert from "node:assert/strict";
import { CAN_PRELOAD, runPreloaded } from "../support/run_preloaded.ts";

const SECONDS = 3;
/** A look-up that takes long, as without a name server. */
const SLOW = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
  if (node == NULL || strcmp(node, "slow.example") != 0) return real(node, service, hints, result);
  sleep(${SECONDS});
  return EAI_AGAIN;
}
`;

const ROOT = new URL("../../", import.meta.url).href;
const PROGRAM = `
  import { loadKafkaJavascript } from "${ROOT}src/addon/load_kafka_javascript.ts";
  const kafka = await loadKafkaJavascript();
  for (const kind of ["Producer", "KafkaConsumer"]) {
    const client = new kafka[kind]({ "bootstrap.servers": "slow.example:9092", "group.id": "g", "log_level": 0 }, {})._client;
    await new Promise((resolve) => client.connect(resolve));
    if (kind === "Producer") client.produce("t", null, new Uint8Array(1));
    else client.subscribe(["t"]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    let last = performance.now(), longest = 0;
    const beat = () => (longest = Math.max(longest, performance.now() - last), last = performance.now());
    const timer = setInterval(beat, 20);
    await new Promise((resolve) => client.disconnect(resolve));
    beat();
    clearInterval(timer);
    console.log(kind, longest < ${SECONDS * 1000 / 4} ? "let others run" : \`held the program up for \${longest} ms\`);
  }
`;

Deno.test({
  name: "disconnect() does not block the event loop while librdkafka looks up the name of a broker",
  ignore: !CAN_PRELOAD,
  async fn() {
    const { out, err } = await runPreloaded(SLOW, PROGRAM);
    assert.equal(out, "Producer let others run\nKafkaConsumer let others run\n", err);
  },
});
