/**
 * Properties that are right by themselves and contradict each other.
 *
 * @module
 */

import { numberOrDefault } from "./number_or_default.ts";

type Values = Readonly<Record<string, unknown>>;

/** What contradicts among properties, which have their dotted names; each in words. */
export function contradictions(values: Values): string[] {
  const found: string[] = [];
  const is = (name: string, value: string) => String(values[name]) === value;
  const number = (name: string) => numberOf(values, name);
  if (values["bootstrap.servers"] === undefined && values["metadata.broker.list"] === undefined) {
    found.push('bootstrap.servers is missing: set it here or in conf(), such as "localhost:29091"');
  }
  if (is("enable.auto.offset.store", "true")) {
    found.push("enable.auto.offset.store can't be true: it would commit messages that were not handled yet");
  }
  found.push(...groupContradictions(values), ...sizeContradictions(values), ...securityContradictions(values));
  const backoff = numberOrDefault(values, "reconnect.backoff.ms");
  const backoffMax = numberOrDefault(values, "reconnect.backoff.max.ms");
  if (backoff > backoffMax) {
    found.push(`reconnect.backoff.ms (${backoff}) must not be above reconnect.backoff.max.ms (${backoffMax})`);
  }
  const lingerName = values["queue.buffering.max.ms"] === undefined ? "linger.ms" : "queue.buffering.max.ms";
  const linger = number(lingerName) ?? 0;
  const timeout = number("message.timeout.ms") ?? numberOrDefault(values, "delivery.timeout.ms");
  if (timeout > 0 && linger > timeout) {
    found.push(
      `${lingerName} (${linger}) must not be above message.timeout.ms (${timeout}): a message would be given up before it is sent`,
    );
  }
  if (is("enable.idempotence", "true")) {
    const acks = values.acks ?? values["request.required.acks"];
    if (acks !== undefined && !["-1", "all"].includes(String(acks))) {
      found.push(`acks (${acks}) contradicts enable.idempotence, which needs acks of all replicas: -1`);
    }
    const inFlight = number("max.in.flight") ?? number("max.in.flight.requests.per.connection") ?? 1;
    if (inFlight > 5) found.push(`max.in.flight (${inFlight}) contradicts enable.idempotence, which allows 5 at most`);
    if (is("queuing.strategy", "lifo")) {
      found.push("queuing.strategy (lifo) contradicts enable.idempotence, which keeps the order: fifo");
    }
    const threshold = numberOrDefault(values, "queue.buffering.backpressure.threshold");
    if (threshold !== 1) {
      found.push(
        `queue.buffering.backpressure.threshold (${threshold}) contradicts enable.idempotence, which needs 1`,
      );
    }
  }
  return found;
}

function numberOf(values: Values, name: string): number | undefined {
  return values[name] === undefined ? undefined : Number(values[name]);
}

/** What is set, with the names of the new group protocol's counterparts. */
const CLASSIC_ONLY: Readonly<Record<string, string>> = {
  "session.timeout.ms": "it is set at the broker, as group.consumer.session.timeout.ms",
  "heartbeat.interval.ms": "it is set at the broker, as group.consumer.heartbeat.interval.ms",
  "partition.assignment.strategy": "the broker assigns: group.remote.assignor names how",
  "group.protocol.type": "leave it out",
};

function groupContradictions(values: Values): string[] {
  const found: string[] = [];
  if (values["group.protocol"] === "consumer") {
    for (const [name, remedy] of Object.entries(CLASSIC_ONLY)) {
      if (values[name] !== undefined) found.push(`${name} contradicts group.protocol (consumer): ${remedy}`);
    }
    return found;
  }
  const session = numberOrDefault(values, "session.timeout.ms");
  const poll = numberOrDefault(values, "max.poll.interval.ms");
  const heartbeat = numberOrDefault(values, "heartbeat.interval.ms");
  if (heartbeat >= session) {
    found.push(
      `heartbeat.interval.ms (${heartbeat}) must be below session.timeout.ms (${session}), a third of it at most is usual: else the group takes the reader for dead`,
    );
  }
  if (poll < session) {
    found.push(
      `max.poll.interval.ms (${poll}) must not be below session.timeout.ms (${session}): librdkafka checks the session more often`,
    );
  }
  const strategies = String(values["partition.assignment.strategy"] ?? "range").split(",").map((one) => one.trim());
  if (strategies.includes("cooperative-sticky") && strategies.length > 1) {
    found.push(
      "partition.assignment.strategy can't have cooperative-sticky beside others: librdkafka can't change over",
    );
  }
  return found;
}

/** librdkafka raises these by itself only where they are not set. */
function sizeContradictions(values: Values): string[] {
  const message = numberOrDefault(values, "message.max.bytes"), fetch = numberOf(values, "fetch.max.bytes");
  const receive = numberOf(values, "receive.message.max.bytes");
  const found: string[] = [];
  if (fetch !== undefined && fetch < message) {
    found.push(`fetch.max.bytes (${fetch}) must not be below message.max.bytes (${message})`);
  }
  const fetched = fetch ?? Math.max(message, numberOrDefault(values, "fetch.max.bytes"));
  if (receive !== undefined && receive < fetched + 512) {
    found.push(`receive.message.max.bytes (${receive}) must be above fetch.max.bytes (${fetched}) by 512`);
  }
  return found;
}

function securityContradictions(values: Values): string[] {
  const found: string[] = [];
  const mechanism = String(values["sasl.mechanism"] ?? values["sasl.mechanisms"] ?? "GSSAPI");
  if (String(values["security.protocol"]).startsWith("sasl_") && /^(PLAIN|SCRAM-)/.test(mechanism)) {
    for (const name of ["sasl.username", "sasl.password"]) {
      if (values[name] === undefined) found.push(`${name} is missing: sasl.mechanism (${mechanism}) needs it`);
    }
  }
  if ((values["ssl.keystore.location"] ?? "") !== "" && values["ssl.keystore.password"] === undefined) {
    found.push("ssl.keystore.password is missing: ssl.keystore.location needs it");
  }
  return found;
}
