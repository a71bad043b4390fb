/**
 * The requests of the addon's `AdminClient`. Each method checks its arguments as the native addon does, sends the request
 * with a queue of its own, and passes the result to the callback in the native addon's shape.
 *
 * @module
 */

import { AdminConnection } from "./admin_connection.ts";
import type { GroupDescription, GroupListing, GroupReport } from "./admin_groups.ts";
import { readDeletedGroups, readDescribedGroups, readListedGroups } from "./admin_groups.ts";
import { type DeletedRecords, type GroupOffsets, type ListedOffset, newPartitionList } from "./admin_offsets.ts";
import { plainOffset, readDeletedRecords, readGroupOffsets, readListedOffsets } from "./admin_offsets.ts";
import { specifiedOffset } from "./admin_offsets.ts";
import { flagOption, intOption, intsOption, type Options, setAuthorizedOperations } from "./admin_options.ts";
import { setOperationTimeout, setRequestTimeout, timeoutOption } from "./admin_options.ts";
import { firstTopicError, newTopic, readDescribedTopics, type TopicDescription } from "./admin_topics.ts";
import { isObject, requireArray, requireCount, requireFunction, requireNumber, requireObject } from "./arguments.ts";
import { pointerArray, stringArray } from "./c_arrays.ts";
import type { Callback } from "./client_handle.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, type Pointer, readText } from "../ffi/memory.ts";
import { type NativeError, takeError } from "../ffi/native_error.ts";

const NEEDS_CALLBACK = "Need to specify a callback";
/** How many states and types of groups librdkafka knows; numbers from these on are left out of a request. */
const STATES = 6, TYPES = 3;

/** Administers a cluster. */
export class AdminClient extends AdminConnection {
  /** Creates a topic. */
  createTopic(topic: unknown, timeoutMs: unknown, callback: Callback<undefined>): null {
    requireFunction(callback, NEEDS_CALLBACK);
    requireNumber(timeoutMs, "Must provide 'timeout'");
    const { symbols } = openLibrary();
    const native = newTopic(isObject(topic) ? topic : {});
    return this.request(callback, {
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
    requireFunction(callback, NEEDS_CALLBACK);
    if (typeof timeoutMs !== "number" || typeof topic !== "string") {
      throw new Error("Must provide 'timeout', and 'topicName'");
    }
    const { symbols } = openLibrary();
    const native = symbols.rd_kafka_DeleteTopic_new(cString(topic));
    return this.request(callback, {
      kind: "DELETE_TOPICS",
      timeoutMs: timeoutMs | 0,
      send: (rk, options, queue) => symbols.rd_kafka_DeleteTopics(rk, pointerArray([native]), 1n, options, queue),
      read: (event) => {
        const result = symbols.rd_kafka_event_DeleteTopics_result(event);
        // The native addon leaves the broker's text out here.
        return firstTopicError((count) => symbols.rd_kafka_DeleteTopics_result_topics(result, count), false);
      },
    }, () => symbols.rd_kafka_DeleteTopic_destroy(native));
  }

  /** Adds partitions to a topic, so that it has `total` of them. */
  createPartitions(topic: unknown, total: unknown, timeoutMs: unknown, callback: Callback<undefined>): null {
    requireCount(arguments.length, 4, NEEDS_CALLBACK);
    requireFunction(callback, "Need to specify a callback 2");
    if (typeof timeoutMs !== "number" || typeof total !== "number" || typeof topic !== "string") {
      throw new Error("Must provide 'totalPartitions', 'timeout', and 'topicName'");
    }
    const { symbols } = openLibrary();
    const text = new Uint8Array(100);
    const count = BigInt.asUintN(64, BigInt(total | 0));
    const native = symbols.rd_kafka_NewPartitions_new(cString(topic), count, text, BigInt(text.length));
    if (native === null) throw new Error(readText(text));
    return this.request(callback, {
      kind: "CREATE_PARTITIONS",
      timeoutMs: timeoutMs | 0,
      send: (rk, options, queue) => symbols.rd_kafka_CreatePartitions(rk, pointerArray([native]), 1n, options, queue),
      read: (event) => {
        const result = symbols.rd_kafka_event_CreatePartitions_result(event);
        return firstTopicError((count) => symbols.rd_kafka_CreatePartitions_result_topics(result, count), true);
      },
    }, () => symbols.rd_kafka_NewPartitions_destroy(native));
  }

  /** Deletes the records before the given offsets. */
  deleteRecords(records: unknown, options: unknown, callback: Callback<DeletedRecords[]>): void {
    requireFunction(callback, NEEDS_CALLBACK);
    requireArray(records, "Must provide array containg 'TopicPartitionOffset' objects");
    requireObject(options, "Must provide 'options' object");
    if (records.length === 0) throw new Error("Must provide at least one TopicPartitionOffset");
    const list = newPartitionList(records, plainOffset);
    if (list === undefined) {
      throw new Error("Failed to convert objects in delete records list, provide proper TopicPartitionOffset objects");
    }
    const { symbols } = openLibrary();
    const native = symbols.rd_kafka_DeleteRecords_new(list);
    symbols.rd_kafka_topic_partition_list_destroy(list);
    const timeoutMs = timeoutOption(options);
    // The native addon reads this name; the npm client's documentation says operationTimeout.
    const operationMs = intOption(options, "operation_timeout", 60_000);
    this.request(callback, {
      kind: "DELETE_RECORDS",
      timeoutMs,
      configure: (native) => setRequestTimeout(native, timeoutMs) ?? setOperationTimeout(native, operationMs),
      send: (rk, options, queue) => symbols.rd_kafka_DeleteRecords(rk, pointerArray([native]), 1n, options, queue),
      read: (event) => ({ result: readDeletedRecords(event) }),
    }, () => symbols.rd_kafka_DeleteRecords_destroy(native));
  }

  /** Describes topics. */
  describeTopics(topics: unknown, options: unknown, callback: Callback<TopicDescription[]>): void {
    requireFunction(callback, NEEDS_CALLBACK);
    requireArray(topics, "Must provide an array of 'topicNames'");
    if (topics.length === 0) throw new Error("'topicNames' cannot be empty");
    const { symbols } = openLibrary();
    const names = stringArray(topics.map(String));
    const own = isObject(options) ? options : {}, timeoutMs = timeoutOption(own);
    this.request(callback, {
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

  /** Looks up the offsets that an OffsetSpec names: the earliest, the latest, or that of a timestamp. */
  listOffsets(partitions: unknown, options: unknown, callback: Callback<ListedOffset[]>): void {
    requireFunction(callback, NEEDS_CALLBACK);
    requireArray(partitions, "Must provide an array of 'TopicPartitionOffsets'");
    const list = newPartitionList(partitions, specifiedOffset);
    // The native addon crashes here.
    if (list === undefined) throw new Error("Each of the 'TopicPartitionOffsets' must be an object");
    const { symbols } = openLibrary();
    const own = isObject(options) ? options : {}, timeoutMs = timeoutOption(own);
    this.request(callback, {
      kind: "LIST_OFFSETS",
      timeoutMs,
      configure: (native) =>
        setRequestTimeout(native, timeoutMs) ??
          takeError(symbols.rd_kafka_AdminOptions_set_isolation_level(native, intOption(own, "isolationLevel", 0))),
      send: (rk, options, queue) => symbols.rd_kafka_ListOffsets(rk, list, options, queue),
      read: (event) => ({ result: readListedOffsets(event) }),
    }, () => symbols.rd_kafka_topic_partition_list_destroy(list));
  }

  /** Lists groups. The options may name the states and types of those to list. */
  listGroups(options: unknown, callback: Callback<{ errors: NativeError[]; groups: GroupListing[] }>): void {
    requireFunction(callback, NEEDS_CALLBACK);
    requireObject(options, "Must provide options object");
    const { symbols } = openLibrary();
    const timeoutMs = timeoutOption(options);
    const states = intsOption(options, "matchConsumerGroupStates", (state) => state < STATES);
    const types = intsOption(options, "matchConsumerGroupTypes", (type) => type >= 0 && type < TYPES);
    this.request(callback, {
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
    this.request(callback, {
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
    this.request(callback, {
      kind: "DELETE_GROUPS",
      timeoutMs,
      configure: (native) => setRequestTimeout(native, timeoutMs),
      send: (rk, options, queue) =>
        symbols.rd_kafka_DeleteGroups(rk, pointerArray(natives), BigInt(natives.length), options, queue),
      read: (event) => ({ result: readDeletedGroups(event) }),
    }, () => natives.forEach((native) => symbols.rd_kafka_DeleteGroup_destroy(native)));
  }

  /** Lists the committed offsets of a group, for the given partitions or for all. */
  listConsumerGroupOffsets(groups: unknown, options: unknown, callback: Callback<GroupOffsets[]>): void {
    requireFunction(callback, NEEDS_CALLBACK);
    requireArray(groups, "Must provide an array of 'listGroupOffsets'");
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
    this.request(callback, {
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
}

function groupIds(groups: unknown, options: unknown, callback: unknown): string[] {
  requireFunction(callback, NEEDS_CALLBACK);
  requireArray(groups, "Must provide group name array");
  requireObject(options, "Must provide options object");
  if (groups.length === 0) throw new Error("Must provide at least one group name");
  return groups.map(String);
}

function newGroupOffsets(group: unknown): Pointer {
  requireObject(group, "Each entry must be an object");
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
