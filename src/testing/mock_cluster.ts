/**
 * librdkafka's mock cluster: Kafka brokers in this process, on loopback, in memory.
 *
 * @module
 */

import { newClient, newConf } from "../ffi/client_conf.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, type Pointer, readCString } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { err2str } from "../ffi/native_error.ts";

/** A mock cluster, and the client handle that owns it. */
export class MockCluster {
  readonly #rk: Pointer;
  #cluster: Pointer;

  /**
   * Starts brokers, whose ids count from 1.
   *
   * @throws {LibraryError} If no usable librdkafka is found.
   */
  constructor(brokers: number) {
    const { symbols } = openLibrary();
    const conf = newConf({ "client.id": "local-broker", "log_level": 0 }, null);
    const made = newClient("producer", conf);
    if ("error" in made) throw new Error(`Can't start a mock cluster: ${made.error}`);
    this.#rk = made.rk;
    this.#cluster = symbols.rd_kafka_mock_cluster_new(this.#rk, brokers);
    if (this.#cluster === null) throw new Error("Can't start a mock cluster: librdkafka gives no reason");
    // The default is three seconds, for members that join late.
    symbols.rd_kafka_mock_group_initial_rebalance_delay_ms(this.#cluster, 0);
  }

  get bootstrapServers(): string {
    return readCString(openLibrary().symbols.rd_kafka_mock_cluster_bootstraps(this.#open()));
  }

  createTopic(name: string, partitions: number): void {
    const { symbols } = openLibrary();
    this.#check(symbols.rd_kafka_mock_topic_create(this.#open(), cString(name), partitions, 1));
  }

  pushErrors(apiKey: number, codes: readonly number[]): void {
    openLibrary().symbols.rd_kafka_mock_push_request_errors_array(
      this.#open(),
      apiKey,
      BigInt(codes.length),
      new Int32Array(codes),
    );
  }

  clearErrors(apiKey: number): void {
    openLibrary().symbols.rd_kafka_mock_clear_request_errors(this.#open(), apiKey);
  }

  setDown(broker: number): void {
    this.#check(openLibrary().symbols.rd_kafka_mock_broker_set_down(this.#open(), broker));
  }

  setUp(broker: number): void {
    this.#check(openLibrary().symbols.rd_kafka_mock_broker_set_up(this.#open(), broker));
  }

  setRtt(broker: number, rttMs: number): void {
    this.#check(openLibrary().symbols.rd_kafka_mock_broker_set_rtt(this.#open(), broker, rttMs));
  }

  setCoordinator(group: string, broker: number): void {
    const { symbols } = openLibrary();
    this.#check(symbols.rd_kafka_mock_coordinator_set(this.#open(), cString("group"), cString(group), broker));
  }

  async close(): Promise<void> {
    const cluster = this.#cluster;
    if (cluster === null) return;
    this.#cluster = null;
    const { symbols } = openLibrary();
    symbols.rd_kafka_mock_cluster_destroy(cluster);
    await symbols.rd_kafka_destroy_flags_async(this.#rk, 0);
  }

  #open(): Pointer {
    if (this.#cluster === null) throw new Error("The local broker is closed");
    return this.#cluster;
  }

  #check(code: number): void {
    if (code !== ErrorCode.NO_ERROR) throw new Error(`The local broker refused: ${err2str(code)}`);
  }
}
