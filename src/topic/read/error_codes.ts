/**
 * The error codes that reading distinguishes: librdkafka's own are negative, the broker's positive.
 *
 * @module
 */

/** A connection to a broker is broken, or can't be made. */
export const TRANSPORT = -195;
/** The address of a broker can't be resolved. */
export const RESOLVE = -193;
/** No broker is connected. */
export const ALL_BROKERS_DOWN = -187;
/** A request was not answered in time. */
export const TIMED_OUT = -185;
/** The client is in no state for the call, as when a partition is not assigned any more. */
export const STATE = -172;
/** There was no offset to commit. */
export const NO_OFFSET = -168;
/** `max.poll.interval.ms` has passed without a poll: the member has left its group. */
export const MAX_POLL_EXCEEDED = -147;
/** The topic or the partition does not exist. */
export const UNKNOWN_TOPIC_OR_PART = 3;
/** The group is in another generation than this member. */
export const ILLEGAL_GENERATION = 22;
/** The group does not know this member. */
export const UNKNOWN_MEMBER_ID = 25;
/** The group rebalances. */
export const REBALANCE_IN_PROGRESS = 27;
/** The group, by the protocol `consumer`, is in a later epoch than this member. */
export const STALE_MEMBER_EPOCH = 113;
