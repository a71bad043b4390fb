/**
 * Reads the results of admin requests that list, describe and delete consumer groups.
 *
 * @module
 */

import { type Node, readError, readNode, readOperations } from "./admin_results.ts";
import { pointersOf } from "./c_arrays.ts";
import { openLibrary } from "../ffi/library.ts";
import { type Pointer, readCString } from "../ffi/memory.ts";
import { type NativeError, nativeError } from "../ffi/native_error.ts";
import { readList } from "../ffi/topic_partitions.ts";

/** A group as listing shows it. */
export interface GroupListing {
  groupId: string;
  isSimpleConsumerGroup: boolean;
  protocolType: string;
  state: number;
  type: number;
}

/** The partitions of a member. */
export interface Assignment {
  topicPartitions: { partition: number; topic: string; error?: NativeError; leaderEpoch?: number }[];
}

/** A member of a group. */
export interface GroupMember {
  clientHost: string;
  clientId: string;
  memberId: string;
  memberAssignment: null;
  memberMetadata: null;
  groupInstanceId?: string;
  assignment: Assignment;
  targetAssignment?: Assignment;
}

/** A group, its members and their assignments. */
export interface GroupDescription {
  groupId: string;
  error?: NativeError;
  members: GroupMember[];
  isSimpleConsumerGroup: boolean;
  protocolType: string;
  protocol: string;
  partitionAssignor: string;
  state: number;
  type: number;
  coordinator?: Node;
  authorizedOperations?: number[];
}

/** The result of deleting a group. */
export interface GroupReport {
  groupId: string;
  errorCode: number;
  error?: NativeError;
}

/** Reads the event of ListConsumerGroups. */
export function readListedGroups(event: Pointer): { errors: NativeError[]; groups: GroupListing[] } {
  const { symbols } = openLibrary();
  const result = symbols.rd_kafka_event_ListConsumerGroups_result(event);
  return {
    errors: pointersOf((count) => symbols.rd_kafka_ListConsumerGroups_result_errors(result, count))
      .map((error) => readError(error)!),
    groups: pointersOf((count) => symbols.rd_kafka_ListConsumerGroups_result_valid(result, count)).map((group) => {
      const simple = symbols.rd_kafka_ConsumerGroupListing_is_simple_consumer_group(group) !== 0;
      return {
        groupId: readCString(symbols.rd_kafka_ConsumerGroupListing_group_id(group)),
        isSimpleConsumerGroup: simple,
        protocolType: simple ? "simple" : "consumer",
        state: symbols.rd_kafka_ConsumerGroupListing_state(group),
        type: symbols.rd_kafka_ConsumerGroupListing_type(group),
      };
    }),
  };
}

/** Reads the event of DescribeConsumerGroups. */
export function readDescribedGroups(event: Pointer): { groups: GroupDescription[] } {
  const { symbols } = openLibrary();
  const result = symbols.rd_kafka_event_DescribeConsumerGroups_result(event);
  return {
    groups: pointersOf((count) => symbols.rd_kafka_DescribeConsumerGroups_result_groups(result, count)).map(readGroup),
  };
}

function readGroup(group: Pointer): GroupDescription {
  const { symbols } = openLibrary();
  const error = readError(symbols.rd_kafka_ConsumerGroupDescription_error(group));
  const members = Number(symbols.rd_kafka_ConsumerGroupDescription_member_count(group));
  const simple = symbols.rd_kafka_ConsumerGroupDescription_is_simple_consumer_group(group) !== 0;
  const assignor = readCString(symbols.rd_kafka_ConsumerGroupDescription_partition_assignor(group));
  const coordinator = symbols.rd_kafka_ConsumerGroupDescription_coordinator(group);
  const operations = readOperations((count) =>
    symbols.rd_kafka_ConsumerGroupDescription_authorized_operations(group, count)
  );
  return {
    groupId: readCString(symbols.rd_kafka_ConsumerGroupDescription_group_id(group)),
    ...(error && { error }),
    members: Array.from(
      { length: members },
      (_, index) => readMember(symbols.rd_kafka_ConsumerGroupDescription_member(group, BigInt(index))),
    ),
    isSimpleConsumerGroup: simple,
    protocolType: simple ? "simple" : "consumer",
    protocol: assignor,
    partitionAssignor: assignor,
    state: symbols.rd_kafka_ConsumerGroupDescription_state(group),
    type: symbols.rd_kafka_ConsumerGroupDescription_type(group),
    ...(coordinator !== null && { coordinator: readNode(coordinator) }),
    ...(operations && { authorizedOperations: operations }),
  };
}

function readMember(member: Pointer): GroupMember {
  const { symbols } = openLibrary();
  const instance = symbols.rd_kafka_MemberDescription_group_instance_id(member);
  const target = symbols.rd_kafka_MemberDescription_target_assignment(member);
  return {
    clientHost: readCString(symbols.rd_kafka_MemberDescription_host(member)),
    clientId: readCString(symbols.rd_kafka_MemberDescription_client_id(member)),
    memberId: readCString(symbols.rd_kafka_MemberDescription_consumer_id(member)),
    memberAssignment: null,
    memberMetadata: null,
    ...(instance !== null && { groupInstanceId: readCString(instance) }),
    assignment: readAssignment(symbols.rd_kafka_MemberDescription_assignment(member)),
    ...(target !== null && { targetAssignment: readAssignment(target) }),
  };
}

function readAssignment(assignment: Pointer): Assignment {
  const list = readList(openLibrary().symbols.rd_kafka_MemberAssignment_partitions(assignment));
  return {
    topicPartitions: list.map(({ partition, topic, code, leaderEpoch }) => ({
      partition,
      topic,
      ...(code !== 0 && { error: nativeError(code) }),
      ...(leaderEpoch !== undefined && { leaderEpoch }),
    })),
  };
}

/** Reads the event of DeleteGroups. */
export function readDeletedGroups(event: Pointer): GroupReport[] {
  const { symbols } = openLibrary();
  const result = symbols.rd_kafka_event_DeleteGroups_result(event);
  return pointersOf((count) => symbols.rd_kafka_DeleteGroups_result_groups(result, count)).map((group) => {
    const error = readError(symbols.rd_kafka_group_result_error(group));
    return {
      groupId: readCString(symbols.rd_kafka_group_result_name(group)),
      errorCode: error?.code ?? 0,
      ...(error && { error }),
    };
  });
}
