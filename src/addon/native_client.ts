/**
 * What all clients of the addon can ask a cluster, and their authentication.
 *
 * @module
 */

import { requireArray, requireCount, requireFunction, requireNumber, requireString, toInt32 } from "./arguments.ts";
import { type Callback, ClientHandle } from "./client_handle.ts";
import { toPartitions } from "./partition_arguments.ts";
import { setCredentials, setToken, setTokenFailure } from "./sasl.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, OutPointer, type Pointer, readCString, viewOf } from "../ffi/memory.ts";
import { type Metadata, readMetadata } from "../ffi/metadata.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { type NativeError, nativeError } from "../ffi/native_error.ts";
import { partitionsOrErrors, readList, type TopicPartition, withList } from "../ffi/topic_partitions.ts";

const DEFAULT_METADATA_TIMEOUT_MS = 30_000;

/** A client of the addon: the parent of `KafkaConsumer`, `Producer` and `AdminClient`. */
export abstract class NativeClient extends ClientHandle {
  getMetadata(
    options: { topic?: string; allTopics?: boolean; timeout?: number } | null,
    callback: Callback<Metadata>,
  ): null {
    requireFunction(callback, "Second parameter must be a callback");
    const topic = String(options?.topic ?? "");
    const allTopics = typeof options?.allTopics === "boolean" ? options.allTopics : true;
    const timeoutMs = typeof options?.timeout === "number" ? toInt32(options.timeout) : DEFAULT_METADATA_TIMEOUT_MS;
    return this.call(callback, async (rk) => {
      const { symbols } = openLibrary();
      const rkt = topic === "" ? null : symbols.rd_kafka_topic_new(rk, cString(topic), null);
      const out = new OutPointer();
      const code = await this.blocking.request(
        timeoutMs,
        (sliceMs) => symbols.rd_kafka_metadata_async(rk, allTopics ? 1 : 0, rkt, out.buffer, sliceMs),
      );
      if (rkt !== null) symbols.rd_kafka_topic_destroy(rkt);
      if (code !== ErrorCode.NO_ERROR) return nativeError(code);
      this.onMetadata();
      const result = readMetadata(viewOf(out.value!));
      symbols.rd_kafka_metadata_destroy(out.value);
      return { result };
    });
  }

  /** Answers the id of the cluster, which comes with a client's first metadata. */
  clusterId(timeoutMs: number, callback: Callback<string>): null {
    requireNumber(timeoutMs, "1st parameter must be a number of milliseconds");
    requireFunction(callback, "2nd parameter must be a callback");
    return this.call(callback, async (rk) => {
      const { symbols } = openLibrary();
      let text: Pointer = null;
      const code = await this.blocking.request(timeoutMs, async (sliceMs) => {
        text = await symbols.rd_kafka_clusterid_async(rk, sliceMs);
        return text === null ? ErrorCode.TIMED_OUT : ErrorCode.NO_ERROR;
      });
      if (code !== ErrorCode.NO_ERROR) return nativeError(code);
      const result = readCString(text);
      symbols.rd_kafka_mem_free(rk, text);
      return { result };
    });
  }

  queryWatermarkOffsets(
    topic: string,
    partition: number,
    timeoutMs: number,
    callback: Callback<{ lowOffset: number; highOffset: number }>,
  ): null {
    requireString(topic, "1st parameter must be a topic string");
    requireNumber(partition, "2nd parameter must be a partition number");
    requireNumber(timeoutMs, "3rd parameter must be a number of milliseconds");
    requireFunction(callback, "4th parameter must be a callback");
    return this.call(callback, async (rk) => {
      const low = new BigInt64Array(1), high = new BigInt64Array(1), name = cString(topic);
      const code = await this.blocking.request(
        timeoutMs | 0,
        (sliceMs) =>
          openLibrary().symbols.rd_kafka_query_watermark_offsets_async(rk, name, partition | 0, low, high, sliceMs),
      );
      if (code !== ErrorCode.NO_ERROR) return nativeError(code);
      return { result: { lowOffset: Number(low[0]), highOffset: Number(high[0]) } };
    });
  }

  offsetsForTimes(partitions: TopicPartition[], timeoutMs: number, callback: Callback<unknown[]>): null {
    requireCount(arguments.length, 3, "Need to specify an array of topic partitions");
    requireArray(partitions, "Need to specify an array of topic partitions");
    return this.askOffsets("rd_kafka_offsets_for_times_async", partitions, timeoutMs, callback);
  }

  /** Asks brokers for the offsets of a list of partitions. */
  protected askOffsets(
    name: "rd_kafka_offsets_for_times_async" | "rd_kafka_committed_async",
    list: readonly unknown[],
    timeoutMs: number,
    callback: Callback<unknown[]>,
    unconnected?: string,
  ): null {
    return this.call(callback, (rk) => {
      const partitions = toPartitions(list);
      return withList(partitions, async (list) => {
        const { symbols } = openLibrary();
        const code = await this.blocking.request(timeoutMs | 0, (sliceMs) => symbols[name](rk, list, sliceMs));
        return code === ErrorCode.NO_ERROR
          ? { result: partitionsOrErrors(readList(list), partitions) }
          : nativeError(code);
      });
    }, unconnected);
  }

  /** Sets the user name and password of all later authentications. */
  setSaslCredentials(username: string, password: string): null {
    requireString(username, "1st parameter must be a username string");
    requireString(password, "2nd parameter must be a password string");
    return this.#callOrThrow((rk) => setCredentials(rk, username, password));
  }

  setOAuthBearerToken(token: string, lifetimeMs: number, principal: string, extensions?: string[] | null): null {
    requireString(token, "1st parameter must be a token string");
    requireNumber(lifetimeMs, "2nd parameter must be a lifetime_ms number");
    requireString(principal, "3rd parameter must be a principal_name string");
    const pairs = extensions ?? [];
    requireArray(pairs, "4th parameter must be an extensions array or null");
    return this.#callOrThrow((rk) => setToken(rk, token, lifetimeMs, principal, pairs.map(String)));
  }

  setOAuthBearerTokenFailure(reason: string): null {
    requireString(reason, "1st parameter must be an error string");
    return this.#callOrThrow((rk) => setTokenFailure(rk, reason));
  }

  /** Throws errors as plain objects, as the native addon does: the npm client reads their code. */
  #callOrThrow(call: (rk: Pointer) => NativeError | undefined): null {
    const error = this.connected ? call(this.rk) : nativeError(ErrorCode.STATE);
    if (error !== undefined) throw error;
    return null;
  }
}
