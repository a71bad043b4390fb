/**
 * The versions of librdkafka that this module uses.
 *
 * @module
 */

/**
 * The oldest librdkafka that this module opens: the oldest on which all tests pass, as CI checks. Older ones count the end
 * of a partition as one of its messages, and may commit an offset too high (librdkafka #4844). Those before 2.10 also lack
 * functions that the npm client needs for the group protocol of KIP-848.
 */
export const FLOOR_VERSION = "2.13.2";
/** The librdkafka that `setup` builds, from the sources in the npm package. */
export const BUILD_VERSION = "2.15.1";
