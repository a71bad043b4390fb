/**
 * Checks of properties against each other.
 *
 * @module
 */

import { numberOrDefault } from "./number_or_default.ts";

type Values = Readonly<Record<string, unknown>>;

/**
 * Returns what is missing or contradicts among the properties of a Topic: a sentence for each.
 *
 * @param values properties by their dotted names
 */
export function contradictions(values: Values): string[] {
  return [
    ...basicContradictions(values),
    ...groupContradictions(values),
    ...sizeContradictions(values),
    ...securityContradictions(values),
    ...timeContradictions(values),
    ...(is(values, "enable.idempotence", "true") ? idempotenceContradictions(values) : []),
  ];
}

function basicContradictions(values: Values): string[] {
  const problems: string[] = [];
  if (values["bootstrap.servers"] === undefined && values["metadata.broker.list"] === undefined) {
    problems.push('bootstrap.servers is missing: set it here or in conf(), such as "localhost:29091"');
  }
  if (is(values, "enable.auto.offset.store", "true")) {
    problems.push("enable.auto.offset.store can't be true: it would commit messages that are not handled yet");
  }
  return problems;
}

function timeContradictions(values: Values): string[] {
  const problems: string[] = [];
  const backoff = numberOrDefault(values, "reconnect.backoff.ms");
  const backoffMax = numberOrDefault(values, "reconnect.backoff.max.ms");
  if (backoff > backoffMax) {
    problems.push(`reconnect.backoff.ms (${backoff}) must not be above reconnect.backoff.max.ms (${backoffMax})`);
  }
  const lingerName = values["queue.buffering.max.ms"] === undefined ? "linger.ms" : "queue.buffering.max.ms";
  const linger = numberOf(values, lingerName) ?? 0;
  const timeout = numberOf(values, "message.timeout.ms") ?? numberOrDefault(values, "delivery.timeout.ms");
  if (timeout > 0 && linger > timeout) {
    problems.push(
      `${lingerName} (${linger}) must not be above message.timeout.ms (${timeout}): a message would fail before it is sent`,
    );
  }
  return problems;
}

function idempotenceContradictions(values: Values): string[] {
  const problems: string[] = [];
  const acks = values.acks ?? values["request.required.acks"];
  if (acks !== undefined && !["-1", "all"].includes(String(acks))) {
    problems.push(`acks (${acks}) contradicts enable.idempotence, which needs acks of all replicas: -1`);
  }
  const inFlight = numberOf(values, "max.in.flight") ?? numberOf(values, "max.in.flight.requests.per.connection") ?? 1;
  if (inFlight > 5) problems.push(`max.in.flight (${inFlight}) contradicts enable.idempotence, which allows 5 at most`);
  if (is(values, "queuing.strategy", "lifo")) {
    problems.push("queuing.strategy (lifo) contradicts enable.idempotence, which keeps the order: fifo");
  }
  const threshold = numberOrDefault(values, "queue.buffering.backpressure.threshold");
  if (threshold !== 1) {
    problems.push(
      `queue.buffering.backpressure.threshold (${threshold}) contradicts enable.idempotence, which needs 1`,
    );
  }
  return problems;
}

function is(values: Values, name: string, value: string): boolean {
  return String(values[name]) === value;
}

/** Returns the number that a property is set to; `undefined` if it is not set. */
function numberOf(values: Values, name: string): number | undefined {
  return values[name] === undefined ? undefined : Number(values[name]);
}

/** The properties that the group protocol `consumer` does not allow, and what to do instead. */
const CLASSIC_ONLY: Readonly<Record<string, string>> = {
  "session.timeout.ms": "it is set at the broker, as group.consumer.session.timeout.ms",
  "heartbeat.interval.ms": "it is set at the broker, as group.consumer.heartbeat.interval.ms",
  "partition.assignment.strategy": "the broker assigns: group.remote.assignor names how",
  "group.protocol.type": "leave it out",
};

function groupContradictions(values: Values): string[] {
  const problems: string[] = [];
  if (values["group.protocol"] === "consumer") {
    for (const [name, remedy] of Object.entries(CLASSIC_ONLY)) {
      if (values[name] !== undefined) problems.push(`${name} contradicts group.protocol (consumer): ${remedy}`);
    }
    return problems;
  }
  const session = numberOrDefault(values, "session.timeout.ms");
  const poll = numberOrDefault(values, "max.poll.interval.ms");
  const heartbeat = numberOrDefault(values, "heartbeat.interval.ms");
  if (heartbeat >= session) {
    problems.push(
      `heartbeat.interval.ms (${heartbeat}) must be below session.timeout.ms (${session}), usually a third of it at most: else the group removes the member`,
    );
  }
  if (poll < session) {
    problems.push(
      `max.poll.interval.ms (${poll}) must not be below session.timeout.ms (${session}): librdkafka checks the session more often`,
    );
  }
  const strategies = String(values["partition.assignment.strategy"] ?? "range").split(",").map((name) => name.trim());
  if (strategies.includes("cooperative-sticky") && strategies.length > 1) {
    problems.push(
      "partition.assignment.strategy can't have cooperative-sticky beside others: librdkafka can't change from one protocol to the other",
    );
  }
  return problems;
}

/** librdkafka raises a size by itself only if the property is not set. */
function sizeContradictions(values: Values): string[] {
  const message = numberOrDefault(values, "message.max.bytes"), fetch = numberOf(values, "fetch.max.bytes");
  const receive = numberOf(values, "receive.message.max.bytes");
  const problems: string[] = [];
  if (fetch !== undefined && fetch < message) {
    problems.push(`fetch.max.bytes (${fetch}) must not be below message.max.bytes (${message})`);
  }
  const fetched = fetch ?? Math.max(message, numberOrDefault(values, "fetch.max.bytes"));
  if (receive !== undefined && receive < fetched + 512) {
    problems.push(`receive.message.max.bytes (${receive}) must be above fetch.max.bytes (${fetched}) by 512`);
  }
  return problems;
}

function securityContradictions(values: Values): string[] {
  const problems: string[] = [];
  const mechanism = String(values["sasl.mechanism"] ?? values["sasl.mechanisms"] ?? "GSSAPI");
  if (String(values["security.protocol"]).startsWith("sasl_") && /^(PLAIN|SCRAM-)/.test(mechanism)) {
    for (const name of ["sasl.username", "sasl.password"]) {
      if (values[name] === undefined) problems.push(`${name} is missing: sasl.mechanism (${mechanism}) needs it`);
    }
  }
  if ((values["ssl.keystore.location"] ?? "") !== "" && values["ssl.keystore.password"] === undefined) {
    problems.push("ssl.keystore.password is missing: ssl.keystore.location needs it");
  }
  return problems;
}
