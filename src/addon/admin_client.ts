/**
 * The admin client under the npm client: the addon's `AdminClient`. Checks arguments as the addon does, sends each
 * request with a queue of its own, and answers in the addon's shapes.
 *
 * @module
 */

import type { GroupDescription, GroupListing, GroupReport } from "./admin_groups.ts";
import { readDeletedGroups, readDescribedGroups, readListedGroups } from "./admin_groups.ts";
import { type DeletedRecords, type GroupOffsets, type ListedOffset, newPartitionList } from "./admin_offsets.ts";
import { plainOffset, readDeletedRecords, readGroupOffsets, readListedOffsets } from "./admin_offsets.ts";
import { specifiedOffset } from "./admin_offsets.ts";
import { type AdminRequest, answerOf } from "./admin_request.ts";
import { firstTopicError, newTopic, readDescribedTopics, type TopicDescription } from "./admin_topics.ts";
import { flagOption, intOption, type Options, pointerArray, setAuthorizedOperations } from "./admin_values.ts";
import { setOperationTimeout, setRequestTimeout, stringArray, timeoutOption } from "./admin_values.ts";
import { type Callback, Client } from "./client.ts";
import { isObject } from "./arguments.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, type Pointer, readText } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { type NativeError, takeError } from "../ffi/native_error.ts";

const NEEDS_CALLBACK = "Need to specify a callback";
/** How many states and types of groups there are: a number beyond is left out. */
const STATES = 6, TYPES = 3;

/** Administers a cluster, with a handle of its own or over a connected producer's or consumer's. */
export class AdminClient extends Client {
  readonly #borrows: boolean;
  #main: Pointer = null;
  /** The connection that is made when the one before it is closed. */
  #reopening: Promise<void> | undefined;

  /**
   * @param existing A connected producer or consumer, whose handle is used: then there is nothing to connect, and all
   * ends with that client's connection.
   * @throws {Error} With librdkafka's text, if it refuses the configuration.
   */
  constructor(...args: [globalConf?: unknown, topicConf?: unknown, existing?: unknown]) {
    if (args.length < 1) throw new Error("You must supply a global configuration or a preexisting client");
    const [globalConf, , existing] = args;
    const borrows = existing !== undefined && existing !== null;
    if (borrows && !(existing instanceof Client)) {
      throw new Error("Third argument, if provided, must be a client object");
    }
    super("producer", borrows ? {} : globalConf, null, borrows ? existing as Client : undefined);
    this.#borrows = borrows;
  }

  /**
   * Connects at once, unlike the other clients; while an earlier connection closes, after it, and requests wait for
   * that. Answers librdkafka's code.
   */
  override connect(): number {
    if (this.connected || this.#reopening !== undefined) return ErrorCode.NO_ERROR;
    // A handle that is borrowed can't be made anew.
    if (this.#borrows) return ErrorCode.STATE;
    if (this.closing) {
      const reopening = this.#reopening = this.freed().then(() => {
        // Unless it was disconnected again meanwhile.
        if (this.#reopening !== reopening) return;
        this.#reopening = undefined;
        this.connectNow();
      });
      return ErrorCode.NO_ERROR;
    }
    const refused = this.connectNow();
    if (refused === undefined) return ErrorCode.NO_ERROR;
    return "code" in refused ? refused.code : ErrorCode.STATE;
  }

  /** Disconnects in the background, when the requests on their way are answered. Answers at once. */
  override disconnect(): number {
    this.#reopening = undefined;
    if (!this.#borrows) void this.freed();
    return ErrorCode.NO_ERROR;
  }

  protected override events(): number {
    return 0;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
    this.#main = openLibrary().symbols.rd_kafka_queue_get_main(rk);
    listen(this.#main);
  }

  protected override closeQueues(): Promise<void> {
    openLibrary().symbols.rd_kafka_queue_destroy(this.#main);
    this.#main = null;
    return Promise.resolve();
  }

  protected override serve(): void {
    const { symbols } = openLibrary();
    for (let event; this.#main !== null && (event = this.nextEvent(this.#main)) !== null;) {
      this.emitEvent(symbols.rd_kafka_event_type(event), event);
      symbols.rd_kafka_event_destroy(event);
    }
  }

  /** Makes a topic. */
  createTopic(topic: unknown, timeoutMs: unknown, callback: Callback<undefined>): null {
    if (typeof callback !== "function") throw new Error(NEEDS_CALLBACK);
    if (typeof timeoutMs !== "number") throw new Error("Must provide 'timeout'");
    const { symbols } = openLibrary();
    const native = newTopic(isObject(topic) ? topic : {});
    return this.#request(callback, {
      kind: "CREATE_TOPICS",
      timeoutMs: timeoutMs | 0,
      send: (rk, options, queue) => symbols.rd_kafka_CreateTopics(rk, pointerArray([native]), 1n, options, queue),
      read: (event) => {
        const result = symbols.rd_kafka_event_CreateTopics_result(event);
        return firstTopicError((count) => symbols.rd_kafka_CreateTopics_result_topics(result, count), true);
      },
    }, () => symbols.rd_kafka_NewTopic_destroy(native));
  }

  /** Deletes a topic. */
  deleteTopic(topic: unknown, timeoutMs: unknown, callback: Callback<undefined>): null {
    if (typeof callback !== "function") throw new Error(NEEDS_CALLBACK);
    if (typeof timeoutMs !== "number" || typeof topic !== "string") {
      throw new Error("Must provide 'timeout', and 'topicName'");
    }
    const { symbols } = openLibrary();
    const native = symbols.rd_kafka_DeleteTopic_new(cString(topic));
    return this.#request(callback, {
      kind: "DELETE_TOPICS",
      timeoutMs: timeoutMs | 0,
      send: (rk, options, queue) => symbols.rd_kafka_DeleteTopics(rk, pointerArray([native]), 1n, options, queue),
      read: (event) => {
        const result = symbols.rd_kafka_event_DeleteTopics_result(event);
        // The addon leaves the broker's words out here.
        return firstTopicError((count) => symbols.rd_kafka_DeleteTopics_result_topics(result, count), false);
      },
    }, () => symbols.rd_kafka_DeleteTopic_destroy(native));
  }

  /** Adds partitions to a topic, up to a total. */
  createPartitions(topic: unknown, total: unknown, timeoutMs: unknown, callback: Callback<undefined>): null {
    if (arguments.length < 4) throw new Error(NEEDS_CALLBACK);
    if (typeof callback !== "function") throw new Error("Need to specify a callback 2");
    if (typeof timeoutMs !== "number" || typeof total !== "number" || typeof topic !== "string") {
      throw new Error("Must provide 'totalPartitions', 'timeout', and 'topicName'");
    }
    const { symbols } = openLibrary();
    const text = new Uint8Array(100);
    const count = BigInt.asUintN(64, BigInt(total | 0));
    const native = symbols.rd_kafka_NewPartitions_new(cString(topic), count, text, BigInt(text.length));
    if (native === null) throw new Error(readText(text));
    return this.#request(callback, {
      kind: "CREATE_PARTITIONS",
      timeoutMs: timeoutMs | 0,
      send: (rk, options, queue) => symbols.rd_kafka_CreatePartitions(rk, pointerArray([native]), 1n, options, queue),
      read: (event) => {
        const result = symbols.rd_kafka_event_CreatePartitions_result(event);
        return firstTopicError((count) => symbols.rd_kafka_CreatePartitions_result_topics(result, count), true);
      },
    }, () => symbols.rd_kafka_NewPartitions_destroy(native));
  }

  /** Deletes what lies before the given offsets. */
  deleteRecords(records: unknown, options: unknown, callback: Callback<DeletedRecords[]>): void {
    if (typeof callback !== "function") throw new Error(NEEDS_CALLBACK);
    if (!Array.isArray(records)) throw new Error("Must provide array containg 'TopicPartitionOffset' objects");
    if (!isObject(options)) throw new Error("Must provide 'options' object");
    if (records.length === 0) throw new Error("Must provide at least one TopicPartitionOffset");
    const list = newPartitionList(records, plainOffset);
    if (list === undefined) {
      throw new Error("Failed to convert objects in delete records list, provide proper TopicPartitionOffset objects");
    }
    const { symbols } = openLibrary();
    const native = symbols.rd_kafka_DeleteRecords_new(list);
    symbols.rd_kafka_topic_partition_list_destroy(list);
    const timeoutMs = timeoutOption(options);
    // So named in the addon, though its documentation says operationTimeout.
    const operationMs = intOption(options, "operation_timeout", 60_000);
    this.#request(callback, {
      kind: "DELETE_RECORDS",
      timeoutMs,
      configure: (native) => setRequestTimeout(native, timeoutMs) ?? setOperationTimeout(native, operationMs),
      send: (rk, options, queue) => symbols.rd_kafka_DeleteRecords(rk, pointerArray([native]), 1n, options, queue),
      read: (event) => ({ result: readDeletedRecords(event) }),
    }, () => symbols.rd_kafka_DeleteRecords_destroy(native));
  }

  /** Describes topics. */
  describeTopics(topics: unknown, options: unknown, callback: Callback<TopicDescription[]>): void {
    if (typeof callback !== "function") throw new Error(NEEDS_CALLBACK);
    if (!Array.isArray(topics)) throw new Error("Must provide an array of 'topicNames'");
    if (topics.length === 0) throw new Error("'topicNames' cannot be empty");
    const { symbols } = openLibrary();
    const names = stringArray(topics.map(String));
    const own = isObject(options) ? options : {}, timeoutMs = timeoutOption(own);
    this.#request(callback, {
      kind: "DESCRIBE_TOPICS",
      timeoutMs,
      configure: (native) =>
        (flagOption(own, "includeAuthorizedOperations") ? setAuthorizedOperations(native) : undefined) ??
          setRequestTimeout(native, timeoutMs),
      send: (rk, options, queue) => {
        const collection = symbols.rd_kafka_TopicCollection_of_topic_names(names, BigInt(topics.length));
        symbols.rd_kafka_DescribeTopics(rk, collection, options, queue);
        symbols.rd_kafka_TopicCollection_destroy(collection);
      },
      read: (event) => ({ result: readDescribedTopics(event) }),
    });
  }

  /** Looks offsets up by what an OffsetSpec says. */
  listOffsets(partitions: unknown, options: unknown, callback: Callback<ListedOffset[]>): void {
    if (typeof callback !== "function") throw new Error(NEEDS_CALLBACK);
    if (!Array.isArray(partitions)) throw new Error("Must provide an array of 'TopicPartitionOffsets'");
    const list = newPartitionList(partitions, specifiedOffset);
    // The addon crashes here.
    if (list === undefined) throw new Error("Each of the 'TopicPartitionOffsets' must be an object");
    const { symbols } = openLibrary();
    const own = isObject(options) ? options : {}, timeoutMs = timeoutOption(own);
    this.#request(callback, {
      kind: "LIST_OFFSETS",
      timeoutMs,
      configure: (native) =>
        setRequestTimeout(native, timeoutMs) ??
          takeError(symbols.rd_kafka_AdminOptions_set_isolation_level(native, intOption(own, "isolationLevel", 0))),
      send: (rk, options, queue) => symbols.rd_kafka_ListOffsets(rk, list, options, queue),
      read: (event) => ({ result: readListedOffsets(event) }),
    }, () => symbols.rd_kafka_topic_partition_list_destroy(list));
  }

  /** Lists groups, of some states and types only if these are given. */
  listGroups(options: unknown, callback: Callback<{ errors: NativeError[]; groups: GroupListing[] }>): void {
    if (typeof callback !== "function") throw new Error(NEEDS_CALLBACK);
    if (!isObject(options)) throw new Error("Must provide options object");
    const { symbols } = openLibrary();
    const timeoutMs = timeoutOption(options);
    const states = numbersOption(options, "matchConsumerGroupStates", (state) => state < STATES);
    const types = numbersOption(options, "matchConsumerGroupTypes", (type) => type >= 0 && type < TYPES);
    this.#request(callback, {
      kind: "LIST_CONSUMER_GROUPS",
      timeoutMs,
      configure: (native) =>
        setRequestTimeout(native, timeoutMs) ??
          (states && takeError(
            symbols.rd_kafka_AdminOptions_set_match_consumer_group_states(native, states.buffer, states.count),
          )) ??
          (types && takeError(
            symbols.rd_kafka_AdminOptions_set_match_consumer_group_types(native, types.buffer, types.count),
          )),
      send: (rk, options, queue) => symbols.rd_kafka_ListConsumerGroups(rk, options, queue),
      read: (event) => ({ result: readListedGroups(event) }),
    });
  }

  /** Describes groups. */
  describeGroups(groups: unknown, options: unknown, callback: Callback<{ groups: GroupDescription[] }>): void {
    const ids = groupIds(groups, options, callback);
    const { symbols } = openLibrary();
    const names = stringArray(ids);
    const timeoutMs = timeoutOption(options as Options);
    const operations = flagOption(options as Options, "includeAuthorizedOperations");
    this.#request(callback, {
      kind: "DESCRIBE_CONSUMER_GROUPS",
      timeoutMs,
      configure: (native) =>
        setRequestTimeout(native, timeoutMs) ?? (operations ? setAuthorizedOperations(native) : undefined),
      send: (rk, options, queue) =>
        symbols.rd_kafka_DescribeConsumerGroups(rk, names, BigInt(ids.length), options, queue),
      read: (event) => ({ result: readDescribedGroups(event) }),
    });
  }

  /** Deletes groups. */
  deleteGroups(groups: unknown, options: unknown, callback: Callback<GroupReport[]>): void {
    const ids = groupIds(groups, options, callback).map(cString);
    const { symbols } = openLibrary();
    const natives = ids.map((id) => symbols.rd_kafka_DeleteGroup_new(id));
    const timeoutMs = timeoutOption(options as Options);
    this.#request(callback, {
      kind: "DELETE_GROUPS",
      timeoutMs,
      configure: (native) => setRequestTimeout(native, timeoutMs),
      send: (rk, options, queue) =>
        symbols.rd_kafka_DeleteGroups(rk, pointerArray(natives), BigInt(natives.length), options, queue),
      read: (event) => ({ result: readDeletedGroups(event) }),
    }, () => natives.forEach((native) => symbols.rd_kafka_DeleteGroup_destroy(native)));
  }

  /** Lists the committed offsets of a group; of all its partitions if none are given. */
  listConsumerGroupOffsets(groups: unknown, options: unknown, callback: Callback<GroupOffsets[]>): void {
    if (typeof callback !== "function") throw new Error(NEEDS_CALLBACK);
    if (!Array.isArray(groups)) throw new Error("Must provide an array of 'listGroupOffsets'");
    if (groups.length === 0) throw new Error("'listGroupOffsets' cannot be empty");
    const { symbols } = openLibrary();
    const natives: Pointer[] = [];
    const free = () => natives.forEach((native) => symbols.rd_kafka_ListConsumerGroupOffsets_destroy(native));
    try {
      for (const group of groups) natives.push(newGroupOffsets(group));
    } catch (error) {
      free();
      throw error;
    }
    const own = isObject(options) ? options : {}, timeoutMs = timeoutOption(own);
    this.#request(callback, {
      kind: "LIST_CONSUMER_GROUP_OFFSETS",
      timeoutMs,
      configure: (native) =>
        setRequestTimeout(native, timeoutMs) ??
          (flagOption(own, "requireStableOffsets")
            ? takeError(symbols.rd_kafka_AdminOptions_set_require_stable_offsets(native, 1))
            : undefined),
      send: (rk, options, queue) =>
        symbols.rd_kafka_ListConsumerGroupOffsets(rk, pointerArray(natives), BigInt(natives.length), options, queue),
      read: (event) => ({ result: readGroupOffsets(event) }),
    }, free);
  }

  /** Sends a request, if connected; then frees what it was made of, which librdkafka has copied. */
  #request<T>(callback: Callback<T>, request: AdminRequest<T>, free?: () => void): null {
    const send = () => {
      try {
        return this.call(callback, (rk) => answerOf(rk, request, () => this.closing));
      } finally {
        free?.();
      }
    };
    if (this.#reopening === undefined) return send();
    this.#reopening.then(send).catch(reportError);
    return null;
  }
}

function groupIds(groups: unknown, options: unknown, callback: unknown): string[] {
  if (typeof callback !== "function") throw new Error(NEEDS_CALLBACK);
  if (!Array.isArray(groups)) throw new Error("Must provide group name array");
  if (!isObject(options)) throw new Error("Must provide options object");
  if (groups.length === 0) throw new Error("Must provide at least one group name");
  return groups.map(String);
}

function newGroupOffsets(group: unknown): Pointer {
  if (!isObject(group)) throw new Error("Each entry must be an object");
  const { symbols } = openLibrary();
  const id = cString(String(group.groupId));
  const { partitions } = group;
  if (!Array.isArray(partitions) || partitions.length === 0) {
    return symbols.rd_kafka_ListConsumerGroupOffsets_new(id, null);
  }
  const list = newPartitionList(partitions);
  if (list === undefined) {
    throw new Error("Failed to convert partitions to list, provide proper object in partitions");
  }
  const native = symbols.rd_kafka_ListConsumerGroupOffsets_new(id, list);
  symbols.rd_kafka_topic_partition_list_destroy(list);
  return native;
}

/** An option that is an array of numbers, as a C array; `undefined` when the option is not there. */
function numbersOption(
  options: Options,
  name: string,
  known: (value: number) => boolean,
): { readonly buffer: Int32Array<ArrayBuffer>; readonly count: bigint } | undefined {
  if (!(name in options)) return undefined;
  const value = options[name];
  const numbers = (Array.isArray(value) ? value : []).map((element) => Math.trunc(Number(element)) || 0).filter(known);
  const buffer = new Int32Array(Math.max(1, numbers.length));
  buffer.set(numbers);
  return { buffer, count: BigInt(numbers.length) };
}
