/**
 * The limits of memory and time in `src/stream`: every figure, with its reason.
 *
 * @module
 */

// Memory

/**
 * How many batches of a source may be accepted by the sinks and not done yet: 32,000 messages of a Topic, whose batches
 * hold up to 1,000. The source goes on while the sinks settle, and a run that fails repeats no more than these.
 */
export const MAX_UNDONE_BATCHES = 32;
/**
 * How many bytes the messages of these batches may take, for a source that reports sizes: a Topic's 32 batches of
 * 1,000 reach it at 2 KB a message, so it bounds the memory for larger messages only. One batch is always allowed.
 */
export const MAX_UNDONE_BYTES = 64 * 1024 * 1024;
/** How many messages of a synchronous iterable make a batch. The batch takes them from the iterable one by one. */
export const ITERABLE_BATCH_MESSAGES = 1000;
/**
 * How many tasks of a `KeyedPool` may wait per running task. With more, the pool looks past more messages of one busy key to
 * find other keys.
 */
export const WAITING_TASKS_PER_RUNNING = 16;
/** The longest error text in a dead letter, in bytes: an error that quotes the message would not fit beside it. */
export const DEAD_LETTER_ERROR_BYTES = 4096;

// The event loop

/**
 * After how many messages the loop of a source looks at the clock, to let other tasks run: the clock is too slow to be
 * read for each message. A power of two.
 */
export const MESSAGES_BETWEEN_YIELDS = 32;

// The end of a run. Each wait ends within about a second of a stop; `shutdownTimeoutMs` is the limit for all of them.

/** How long a source that was stopped may take to end its stream of batches, in milliseconds; then it is read no more. */
export const SOURCE_END_MS = 1000;
/** After a stop, how long a sink may take to make room for a value, in milliseconds; then the message is not done. */
export const ROOM_AFTER_STOP_MS = 1000;
/**
 * After a stop, how long messages that are handled side by side may go on with their retries, in milliseconds. A message that
 * is interrupted is delivered again in the next run, together with the messages behind it that are finished already; a short
 * time more lets most of them finish.
 */
export const RETRIES_AFTER_STOP_MS = 300;
/**
 * After a stop, how long a stream that a handler of the same run may write to has to end by itself, in milliseconds; then it
 * is stopped as well.
 */
export const LINK_END_MS = 1000;
/**
 * After a failure, how long a source may take to close, in milliseconds: a member of a group without a broker would hold up
 * the error by its own time-outs.
 */
export const CLOSE_AFTER_FAILURE_MS = 5000;
/** After `shutdownTimeoutMs`, how long sources and sinks may take to close, in milliseconds; then they are given up. */
export const RELEASE_MS = 1000;
