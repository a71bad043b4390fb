/**
 * The one way by which the module reports trouble that passes, and the hook that receives it.
 *
 * @module
 */

/**
 * What a `Notice` is about. Codes of the first group describe a state: one notice when it begins, and one with
 * `Notice.isOver` when it ends. The others describe a single event. `onNotice` lists cause and remedy of each.
 */
export type NoticeCode =
  // With an end.
  | "broker-unreachable"
  | "broker-lost"
  | "query-failing"
  | "committed-offsets-unknown"
  | "topic-missing"
  | "read-failing"
  | "commit-refused"
  // Events.
  | "advertised-broker-unreachable"
  | "offset-reset"
  | "max-poll-exceeded"
  | "leave-slow"
  | "close-slow"
  | "dead-letter-cut"
  | "system-library"
  | "shutdown-timeout";

/** Trouble that passes: the module goes on by itself, and an operator may want to know. */
export interface Notice {
  /** What it is about: stable, for alerts and metrics. */
  readonly code: NoticeCode;
  /** One line for people, without secrets. Its wording may change in any version. */
  readonly text: string;
  /** Whether the trouble has ended. */
  readonly isOver: boolean;
  /** The topic that it concerns: its name, or what the `Topic` of several names or of an expression has for a name. */
  readonly topic?: string;
  /** The partition, if it concerns one. */
  readonly partition?: number;
  /** The name of the handler, if it concerns one. */
  readonly handler?: string;
  /** The address of the broker, if it concerns one of several. */
  readonly broker?: string;
}

/** Receives notices. */
export type NoticeListener = (notice: Notice) => void;

/** Every listener that is registered and not removed; the last one receives the notices. */
const listeners: { readonly listener: NoticeListener }[] = [];

/**
 * Registers the function that receives the notices of this process, of all Topics and handlers, instead of the default
 * listener, which prints `slipstream: ` and the text as one line on stderr. A later call replaces the listener of an
 * earlier one.
 *
 * The listener runs synchronously, and should return at once. If it throws, the error and the notice are printed on
 * stderr, and nothing else happens.
 *
 * | Code | Cause | Remedy |
 * | --- | --- | --- |
 * | `broker-unreachable` | No broker has answered 3 s after a Topic began to connect; it keeps trying. Ends with the first answer. | Check `bootstrap.servers`, `security.protocol` and the network. The text has librdkafka's reason. |
 * | `advertised-broker-unreachable` | The cluster names a broker by an address that can't be reached from here. | Start that broker, or correct its `advertised.listeners`. |
 * | `broker-lost` | A Topic was connected, and no broker has answered for 3 s. Ends when one answers. | Repair the brokers. Reading and writing go on by themselves; records fail after `message.timeout.ms`. |
 * | `query-failing` | Brokers refuse a query for offsets or metadata with an error that passes. Ends when one answers. | Wait; the text has the reason, such as a group coordinator that starts. |
 * | `committed-offsets-unknown` | The group coordinator does not say what the group has committed; its partitions are not read meanwhile. Ends when it does. | Wait; check the group coordinator. |
 * | `topic-missing` | The topic does not exist; reading waits for it. Ends when it exists. | Create the topic, or correct its name. `whenMissing: "fail"` makes it an error. |
 * | `read-failing` | Messages can't be fetched, because of an error that passes. Ends with the next messages. | Wait; the text has the reason. |
 * | `commit-refused` | The broker refuses to commit offsets: messages may be read again after a restart. Ends with the next commit that succeeds. | Check the group and its permissions; the text has the reason. |
 * | `offset-reset` | The next offset to read does not exist in the partition: messages were deleted before they were read, or the topic was created anew. | Raise `retention.ms` of the topic, or read faster. The text says which offsets were not read. |
 * | `max-poll-exceeded` | The event loop was blocked for `max.poll.interval.ms`: the member left its group and joins again. | Don't block the event loop; raise `max.poll.interval.ms`. |
 * | `leave-slow` | `close()`: leaving the group takes longer than a few seconds, and goes on in the background. | None needed; brokers are slow or unreachable. |
 * | `close-slow` | `close()`: records are not delivered after 3 s; it waits for 30 s in all. | None needed; `close()` rejects if records remain. |
 * | `dead-letter-cut` | A dead letter is larger than its topic allows, and is written without the headers that the text has. | Raise `max.message.bytes` of the topic of dead letters. |
 * | `system-library` | The system's librdkafka is used, since the environment can't be read. | Grant `--allow-env` for the variables in the text. |
 * | `shutdown-timeout` | The program has not ended `shutdownTimeoutMs` after SIGINT or SIGTERM: the process exits now. | Shorten the work that the text names, or raise `shutdownTimeoutMs`. |
 *
 * @param listener receives each notice
 * @returns a function that removes the listener: the one before it receives the notices again
 * @throws {TypeError} If the listener is not a function.
 *
 * @example Notices as JSON lines
 * ```ts
 * import { onNotice } from "@slipstream/slipstream";
 *
 * const remove = onNotice((notice) => console.error(JSON.stringify({ level: "warn", ...notice })));
 * remove();
 * ```
 */
export function onNotice(listener: NoticeListener): () => void {
  if (typeof listener !== "function") {
    throw new TypeError(`onNotice(): listener must be a function: ${typeof listener}`);
  }
  const entry = { listener };
  listeners.push(entry);
  return () => {
    const index = listeners.indexOf(entry);
    if (index >= 0) listeners.splice(index, 1);
  };
}

/** Passes a notice to the listener. Never throws. */
export function emitNotice(notice: Notice): void {
  const listener = listeners.at(-1)?.listener;
  if (listener === undefined) return print(notice);
  try {
    // An async function is a listener too.
    const returned: unknown = listener(notice);
    if (returned instanceof Promise) returned.catch((error) => printFailure(notice, error));
  } catch (error) {
    printFailure(notice, error);
  }
}

function print({ text }: Notice): void {
  console.warn(`slipstream: ${text}`);
}

/** `reportError()` would end the program. */
function printFailure(notice: Notice, error: unknown): void {
  print(notice);
  console.error("slipstream: the listener of onNotice() has thrown", error);
}
