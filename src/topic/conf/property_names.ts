/**
 * The spellings of properties: dotted as in librdkafka, with underscores, and as the Python clients name them.
 *
 * @module
 */

import { PROPERTIES } from "./properties.ts";

/**
 * The names that aiokafka, and the Python package slipstream on top of it, give to properties, and the property that each
 * stands for. Any other property may be spelt with underscores for dots too.
 *
 * Names whose property would mean something else, such as objects and functions of Python, are left out: the error for
 * `value_serializer` or `ssl_context` names the replacement.
 */
export const SNAKE_CASE = {
  bootstrap_servers: "bootstrap.servers",
  client_id: "client.id",
  group_id: "group.id",
  group_instance_id: "group.instance.id",
  auto_offset_reset: "auto.offset.reset",
  enable_auto_commit: "enable.auto.commit",
  auto_commit_interval_ms: "auto.commit.interval.ms",
  check_crcs: "check.crcs",
  session_timeout_ms: "session.timeout.ms",
  heartbeat_interval_ms: "heartbeat.interval.ms",
  max_poll_interval_ms: "max.poll.interval.ms",
  isolation_level: "isolation.level",
  fetch_max_wait_ms: "fetch.wait.max.ms",
  fetch_min_bytes: "fetch.min.bytes",
  fetch_max_bytes: "fetch.max.bytes",
  max_partition_fetch_bytes: "max.partition.fetch.bytes",
  metadata_max_age_ms: "metadata.max.age.ms",
  connections_max_idle_ms: "connections.max.idle.ms",
  request_timeout_ms: "socket.timeout.ms",
  retry_backoff_ms: "retry.backoff.ms",
  reconnect_backoff_ms: "reconnect.backoff.ms",
  reconnect_backoff_max_ms: "reconnect.backoff.max.ms",
  linger_ms: "linger.ms",
  compression_type: "compression.type",
  max_batch_size: "batch.size",
  batch_size: "batch.size",
  max_request_size: "message.max.bytes",
  enable_idempotence: "enable.idempotence",
  transactional_id: "transactional.id",
  transaction_timeout_ms: "transaction.timeout.ms",
  security_protocol: "security.protocol",
  sasl_mechanism: "sasl.mechanism",
  sasl_plain_username: "sasl.username",
  sasl_plain_password: "sasl.password",
  sasl_kerberos_service_name: "sasl.kerberos.service.name",
  ssl_cafile: "ssl.ca.location",
  ssl_certfile: "ssl.certificate.location",
  ssl_keyfile: "ssl.key.location",
  ssl_password: "ssl.key.password",
  ssl_crlfile: "ssl.crl.location",
  ssl_ciphers: "ssl.cipher.suites",
} as const satisfies Readonly<Record<string, string>>;

/** What to give instead of names of other clients that stand for no property. */
export const REPLACEMENTS: Readonly<Record<string, string>> = {
  api_version: "librdkafka finds it out",
  key_serializer: "give Topic a codec, in its option key",
  key_deserializer: "give Topic a codec, in its option key",
  value_serializer: "give Topic a codec, in its option value",
  value_deserializer: "give Topic a codec, in its option value",
  ssl_context: "give ssl_cafile, ssl_certfile and ssl_keyfile",
  sasl_oauth_token_provider: "give sasl.oauthbearer.method and the properties that it needs",
  sasl_kerberos_domain_name: "give sasl.kerberos.principal",
  consumer_timeout_ms: 'give Topic until: "end", or stream() a signal',
  exclude_internal_topics: "give topic.blacklist",
  rebalance_timeout_ms: "give max.poll.interval.ms",
  loop: "a program has one event loop",
  // KafkaJS's names.
  brokers: 'give "bootstrap.servers", such as "localhost:9092"',
  servers: 'give "bootstrap.servers", such as "localhost:9092"',
  clientId: 'give "client.id"',
  groupId: 'give "group.id"',
  ssl: 'give "security.protocol": "ssl" and, where needed, "ssl.ca.location"',
  sasl: 'give "security.protocol", "sasl.mechanism", "sasl.username" and "sasl.password"',
  kafkaJS: 'give librdkafka\'s properties, such as "bootstrap.servers"',
  fromBeginning: 'give Topic offset: "beginning", or "auto.offset.reset": "earliest"',
};

/** Returns the dotted name of the property that a spelling stands for; the spelling itself if it stands for none. */
export function propertyName(spelling: string): string {
  if (PROPERTIES.has(spelling)) return spelling;
  if (Object.hasOwn(SNAKE_CASE, spelling)) return SNAKE_CASE[spelling as keyof typeof SNAKE_CASE];
  const name = spelling.replaceAll("_", ".");
  return PROPERTIES.has(name) ? name : spelling;
}

/** Whether a name stands for a property, in any spelling. */
export function isProperty(spelling: string): boolean {
  return PROPERTIES.has(propertyName(spelling)) || Object.hasOwn(REPLACEMENTS, spelling);
}
