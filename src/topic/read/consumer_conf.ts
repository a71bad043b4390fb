/**
 * The configuration of the consumer behind a reader.
 *
 * @module
 */

import { confFor } from "../conf/conf.ts";
import { numberOrDefault } from "../conf/number_or_default.ts";
import { BEGINNING, END } from "./offsets.ts";

type Conf = Readonly<Record<string, unknown>>;

/**
 * Without `fetch.queue.backoff.ms`, a client that has filled its queue idles for a second: it reads 105,000 messages/s at
 * most.
 */
const DEFAULTS = { "fetch.queue.backoff.ms": 5, "auto.commit.interval.ms": 1000 } as const satisfies Conf;
/** librdkafka needs a group to assign partitions. A reader without `group.id` joins none and commits nothing to this one. */
const PLACEHOLDER_GROUP = "slipstream-without-group";

/**
 * The configuration of a consumer.
 *
 * @param conf the properties of the Topic
 * @param commits whether stored offsets are committed in the background
 */
export function consumerConf(conf: Conf, commits: boolean): Conf {
  return {
    ...DEFAULTS,
    "group.id": PLACEHOLDER_GROUP,
    ...confFor("C", conf),
    "enable.auto.commit": commits,
    "enable.auto.offset.store": false,
    // Reports the end of a partition also where its last records are not handed out, as transaction markers are not.
    "enable.partition.eof": true,
  };
}

/** A partition that is being revoked waits no longer than this for messages that are being handled, in milliseconds. */
const MAX_REVOKE_WAIT_MS = 5000;
/** The interval of heartbeats that brokers set for the protocol `consumer`, in milliseconds. */
const CONSUMER_PROTOCOL_HEARTBEAT_MS = 5000;

/**
 * How long a partition that is being revoked may wait for messages that are being handled, in milliseconds.
 *
 * The group removes a member that has not rejoined `max.poll.interval.ms` after a rebalance began, and the member learns of
 * the rebalance with its next heartbeat. Of the time that is left then, half is for handlers and half for a busy machine.
 */
export function revokeWaitMs(conf: Conf): number {
  const isConsumerProtocol = String(conf["group.protocol"]).toLowerCase() === "consumer";
  const heartbeatMs = isConsumerProtocol
    ? CONSUMER_PROTOCOL_HEARTBEAT_MS
    : numberOrDefault(conf, "heartbeat.interval.ms");
  const leftMs = numberOrDefault(conf, "max.poll.interval.ms") - heartbeatMs;
  return Math.max(0, Math.min(MAX_REVOKE_WAIT_MS, leftMs / 2));
}

/** A reader that nobody pulls pauses its partitions after this time, in milliseconds. */
const MAX_IDLE_MS = 10_000;

/** How long after the last pull a reader pauses its partitions, in milliseconds: sooner if `max.poll.interval.ms` is short. */
export function pauseAfterIdleMs(conf: Conf): number {
  return Math.min(MAX_IDLE_MS, numberOrDefault(conf, "max.poll.interval.ms") / 4);
}

/** What `auto.offset.reset` says: `BEGINNING`, `END`, or `undefined` for `error`, which a reader without group ignores. */
export function resetOffset(conf: Conf): number | undefined {
  const reset = String(conf["auto.offset.reset"]);
  if (reset === "error" && conf["group.id"] !== undefined) return undefined;
  return ["earliest", "beginning", "smallest"].includes(reset) ? BEGINNING : END;
}
