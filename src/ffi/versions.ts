/**
 * Which versions of librdkafka are used.
 *
 * @module
 */

/**
 * The oldest librdkafka that is used: the oldest on which every test passes, which CI sees to. An older one counts the
 * end of a partition as a message of it, and may commit the offset after (librdkafka #4844); before 2.10 it also lacks
 * what the npm client needs for the group protocol of KIP-848.
 */
export const FLOOR_VERSION = "2.13.2";
/** The librdkafka that `setup` builds: the one whose sources the npm package carries. */
export const BUILD_VERSION = "2.15.1";
