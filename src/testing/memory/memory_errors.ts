/**
 * The errors of clients of a `MemoryKafka`, with librdkafka's codes and texts.
 *
 * @module
 */

import { ErrorCode } from "../../kafka/port.ts";

/** Makes the error that a client throws for a code. */
export function codedError(code: number): Error & { readonly code: number } {
  return Object.assign(new Error(errorText(code)), { code });
}

const TEXTS: Readonly<Record<number, string>> = {
  0: "Success",
  [ErrorCode.UNKNOWN_TOPIC_OR_PART]: "Broker: Unknown topic or partition",
  [ErrorCode.MSG_SIZE_TOO_LARGE]: "Broker: Message size too large",
  [ErrorCode.ILLEGAL_GENERATION]: "Broker: Specified group generation id is not valid",
  [ErrorCode.UNKNOWN_MEMBER_ID]: "Broker: Unknown member",
  [ErrorCode.REBALANCE_IN_PROGRESS]: "Broker: Group rebalance in progress",
  [ErrorCode.TOPIC_AUTHORIZATION_FAILED]: "Broker: Topic authorization failed",
  [ErrorCode.GROUP_AUTHORIZATION_FAILED]: "Broker: Group authorization failed",
  [ErrorCode.AUTO_OFFSET_RESET]: "Local: No offset to automatically reset to",
  [ErrorCode.MAX_POLL_EXCEEDED]: "Local: Maximum application poll interval (max.poll.interval.ms) exceeded",
  [ErrorCode.FATAL]: "Local: Fatal error",
  [ErrorCode.PURGE_QUEUE]: "Local: Purged in queue",
  [ErrorCode.NO_OFFSET]: "Local: No offset stored",
  [ErrorCode.STATE]: "Local: Erroneous state",
  [ErrorCode.QUEUE_FULL]: "Local: Queue full",
  [ErrorCode.TIMED_OUT]: "Local: Timed out",
  [ErrorCode.MSG_TIMED_OUT]: "Local: Message timed out",
  [ErrorCode.TRANSPORT]: "Local: Broker transport failure",
  [ErrorCode.DESTROY]: "Local: Broker handle destroyed",
};

/** librdkafka's text for a code; a general one for codes that no client of a `MemoryKafka` makes by itself. */
export function errorText(code: number): string {
  return TEXTS[code] ?? (code > 0 ? `Broker: Error ${code}` : `Local: Error ${code}`);
}
