// Defaults of all topics: later calls merge, a topic's own properties win, and topics made earlier keep what they had.
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
