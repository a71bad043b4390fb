// Defaults of all topics. Later calls add to them, a topic's own properties win, and a topic keeps the
// defaults that there were when it was made.
//
// Run:    deno run -A examples/conf.ts
// Prints: the properties of two topics; secrets are masked
import { conf, Topic } from "@slipstream/slipstream";

conf({
  bootstrap_servers: "localhost:29091",
  group_id: "default-demo",
});

const topic1 = new Topic("emoji", { bootstrap_servers: "localhost:29092" });

conf({
  security_protocol: "SASL_SSL",
  sasl_mechanism: "PLAIN",
  sasl_plain_username: "myuser",
  sasl_plain_password: "mypass",
});

const topic2 = new Topic("conf", { group_id: "demo" });

console.log(topic1.conf);
console.log(topic2.conf);
