/**
 * The functions of librdkafka that this module calls: an entry for each, with its C declaration above it.
 *
 * - A key is the function's name in C. An entry with a `name` is a second way to call the same function.
 * - The functions whose keys end with `_async` may wait: they run on one of Deno's blocking threads.
 * - Addresses that are only passed on have the type `u64`: one pointer object for each message
 *   would make the garbage collector the bottleneck.
 *
 * `tools/check_symbols.ts` compares the table with rdkafka.h, and with the exports of the oldest usable library.
 *
 * @module
 */

/** The functions, as `Deno.dlopen()` expects them. */
export const SYMBOLS = {
  /** int rd_kafka_version(void) */
  rd_kafka_version: { parameters: [], result: "i32" },
  /** const char *rd_kafka_version_str(void) */
  rd_kafka_version_str: { parameters: [], result: "pointer" },
  /** const char *rd_kafka_err2str(rd_kafka_resp_err_t err) */
  rd_kafka_err2str: { parameters: ["i32"], result: "pointer" },
  /** rd_kafka_resp_err_t rd_kafka_last_error(void) */
  rd_kafka_last_error: { parameters: [], result: "i32" },

  // Errors
  /** rd_kafka_resp_err_t rd_kafka_error_code(const rd_kafka_error_t *error) */
  rd_kafka_error_code: { parameters: ["pointer"], result: "i32" },
  /** const char *rd_kafka_error_string(const rd_kafka_error_t *error) */
  rd_kafka_error_string: { parameters: ["pointer"], result: "pointer" },
  /** int rd_kafka_error_is_fatal(const rd_kafka_error_t *error) */
  rd_kafka_error_is_fatal: { parameters: ["pointer"], result: "i32" },
  /** int rd_kafka_error_is_retriable(const rd_kafka_error_t *error) */
  rd_kafka_error_is_retriable: { parameters: ["pointer"], result: "i32" },
  /** int rd_kafka_error_txn_requires_abort(const rd_kafka_error_t *error) */
  rd_kafka_error_txn_requires_abort: { parameters: ["pointer"], result: "i32" },
  /** void rd_kafka_error_destroy(rd_kafka_error_t *error) */
  rd_kafka_error_destroy: { parameters: ["pointer"], result: "void" },

  // Configuration
  /** rd_kafka_conf_t *rd_kafka_conf_new(void) */
  rd_kafka_conf_new: { parameters: [], result: "pointer" },
  /** void rd_kafka_conf_destroy(rd_kafka_conf_t *conf) */
  rd_kafka_conf_destroy: { parameters: ["pointer"], result: "void" },
  /** rd_kafka_conf_res_t rd_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, char *errstr, size_t errstr_size) */
  rd_kafka_conf_set: { parameters: ["pointer", "buffer", "buffer", "buffer", "usize"], result: "i32" },
  /** rd_kafka_conf_res_t rd_kafka_conf_get(const rd_kafka_conf_t *conf, const char *name, char *dest, size_t *dest_size) */
  rd_kafka_conf_get: { parameters: ["pointer", "buffer", "buffer", "buffer"], result: "i32" },
  /** void rd_kafka_conf_set_events(rd_kafka_conf_t *conf, int events) */
  rd_kafka_conf_set_events: { parameters: ["pointer", "i32"], result: "void" },
  /** void rd_kafka_conf_set_throttle_cb(rd_kafka_conf_t *conf, void (*throttle_cb)(rd_kafka_t *rk, const char *broker_name, int32_t broker_id, int throttle_time_ms, void *opaque)) */
  rd_kafka_conf_set_throttle_cb: { parameters: ["pointer", "pointer"], result: "void" },
  /** void rd_kafka_conf_set_default_topic_conf(rd_kafka_conf_t *conf, rd_kafka_topic_conf_t *tconf) */
  rd_kafka_conf_set_default_topic_conf: { parameters: ["pointer", "pointer"], result: "void" },
  /** void rd_kafka_conf_enable_sasl_queue(rd_kafka_conf_t *conf, int enable) */
  rd_kafka_conf_enable_sasl_queue: { parameters: ["pointer", "i32"], result: "void" },
  /** rd_kafka_topic_conf_t *rd_kafka_topic_conf_new(void) */
  rd_kafka_topic_conf_new: { parameters: [], result: "pointer" },
  /** rd_kafka_conf_res_t rd_kafka_topic_conf_set(rd_kafka_topic_conf_t *conf, const char *name, const char *value, char *errstr, size_t errstr_size) */
  rd_kafka_topic_conf_set: { parameters: ["pointer", "buffer", "buffer", "buffer", "usize"], result: "i32" },
  /** void rd_kafka_topic_conf_destroy(rd_kafka_topic_conf_t *topic_conf) */
  rd_kafka_topic_conf_destroy: { parameters: ["pointer"], result: "void" },

  // Handles
  /** rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *errstr, size_t errstr_size) */
  rd_kafka_new: { parameters: ["i32", "pointer", "buffer", "usize"], result: "pointer" },
  /** const char *rd_kafka_name(const rd_kafka_t *rk) */
  rd_kafka_name: { parameters: ["pointer"], result: "pointer" },
  /** void rd_kafka_destroy_flags(rd_kafka_t *rk, int flags) */
  rd_kafka_destroy_flags_async: {
    name: "rd_kafka_destroy_flags",
    parameters: ["pointer", "i32"],
    result: "void",
    nonblocking: true,
  },
  /** rd_kafka_resp_err_t rd_kafka_set_log_queue(rd_kafka_t *rk, rd_kafka_queue_t *rkqu) */
  rd_kafka_set_log_queue: { parameters: ["pointer", "pointer"], result: "i32" },
  /** char *rd_kafka_clusterid(rd_kafka_t *rk, int timeout_ms) */
  rd_kafka_clusterid_async: {
    name: "rd_kafka_clusterid",
    parameters: ["pointer", "i32"],
    result: "pointer",
    nonblocking: true,
  },
  /** void rd_kafka_mem_free(rd_kafka_t *rk, void *ptr) */
  rd_kafka_mem_free: { parameters: ["pointer", "pointer"], result: "void" },
  /** rd_kafka_resp_err_t rd_kafka_metadata(rd_kafka_t *rk, int all_topics, rd_kafka_topic_t *only_rkt, const struct rd_kafka_metadata **metadatap, int timeout_ms) */
  rd_kafka_metadata: { parameters: ["pointer", "i32", "pointer", "buffer", "i32"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_metadata(rd_kafka_t *rk, int all_topics, rd_kafka_topic_t *only_rkt, const struct rd_kafka_metadata **metadatap, int timeout_ms) */
  rd_kafka_metadata_async: {
    name: "rd_kafka_metadata",
    parameters: ["pointer", "i32", "pointer", "buffer", "i32"],
    result: "i32",
    nonblocking: true,
  },
  /** void rd_kafka_metadata_destroy(const struct rd_kafka_metadata *metadata) */
  rd_kafka_metadata_destroy: { parameters: ["pointer"], result: "void" },
  /** rd_kafka_resp_err_t rd_kafka_query_watermark_offsets(rd_kafka_t *rk, const char *topic, int32_t partition, int64_t *low, int64_t *high, int timeout_ms) */
  rd_kafka_query_watermark_offsets_async: {
    name: "rd_kafka_query_watermark_offsets",
    parameters: ["pointer", "buffer", "i32", "buffer", "buffer", "i32"],
    result: "i32",
    nonblocking: true,
  },
  /** rd_kafka_resp_err_t rd_kafka_get_watermark_offsets(rd_kafka_t *rk, const char *topic, int32_t partition, int64_t *low, int64_t *high) */
  rd_kafka_get_watermark_offsets: { parameters: ["pointer", "buffer", "i32", "buffer", "buffer"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_offsets_for_times(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *offsets, int timeout_ms) */
  rd_kafka_offsets_for_times_async: {
    name: "rd_kafka_offsets_for_times",
    parameters: ["pointer", "pointer", "i32"],
    result: "i32",
    nonblocking: true,
  },

  // SASL
  /** rd_kafka_queue_t *rd_kafka_queue_get_sasl(rd_kafka_t *rk) */
  rd_kafka_queue_get_sasl: { parameters: ["pointer"], result: "pointer" },
  /** rd_kafka_error_t *rd_kafka_sasl_background_callbacks_enable(rd_kafka_t *rk) */
  rd_kafka_sasl_background_callbacks_enable: { parameters: ["pointer"], result: "pointer" },
  /** rd_kafka_error_t *rd_kafka_sasl_set_credentials(rd_kafka_t *rk, const char *username, const char *password) */
  rd_kafka_sasl_set_credentials: { parameters: ["pointer", "buffer", "buffer"], result: "pointer" },
  /** rd_kafka_resp_err_t rd_kafka_oauthbearer_set_token(rd_kafka_t *rk, const char *token_value, int64_t md_lifetime_ms, const char *md_principal_name, const char **extensions, size_t extension_size, char *errstr, size_t errstr_size) */
  rd_kafka_oauthbearer_set_token: {
    parameters: ["pointer", "buffer", "i64", "buffer", "buffer", "usize", "buffer", "usize"],
    result: "i32",
  },
  /** rd_kafka_resp_err_t rd_kafka_oauthbearer_set_token_failure(rd_kafka_t *rk, const char *errstr) */
  rd_kafka_oauthbearer_set_token_failure: { parameters: ["pointer", "buffer"], result: "i32" },
  /** const char *rd_kafka_event_config_string(rd_kafka_event_t *rkev) */
  rd_kafka_event_config_string: { parameters: ["pointer"], result: "pointer" },

  // Topics
  /** rd_kafka_topic_t *rd_kafka_topic_new(rd_kafka_t *rk, const char *topic, rd_kafka_topic_conf_t *conf) */
  rd_kafka_topic_new: { parameters: ["pointer", "buffer", "pointer"], result: "pointer" },
  /** void rd_kafka_topic_destroy(rd_kafka_topic_t *rkt) */
  rd_kafka_topic_destroy: { parameters: ["pointer"], result: "void" },
  /** const char *rd_kafka_topic_name(const rd_kafka_topic_t *rkt) */
  rd_kafka_topic_name: { parameters: ["u64"], result: "pointer" },

  // Queues and events
  /** rd_kafka_queue_t *rd_kafka_queue_new(rd_kafka_t *rk) */
  rd_kafka_queue_new: { parameters: ["pointer"], result: "pointer" },
  /** void rd_kafka_queue_destroy(rd_kafka_queue_t *rkqu) */
  rd_kafka_queue_destroy: { parameters: ["pointer"], result: "void" },
  /** rd_kafka_queue_t *rd_kafka_queue_get_main(rd_kafka_t *rk) */
  rd_kafka_queue_get_main: { parameters: ["pointer"], result: "pointer" },
  /** rd_kafka_queue_t *rd_kafka_queue_get_consumer(rd_kafka_t *rk) */
  rd_kafka_queue_get_consumer: { parameters: ["pointer"], result: "pointer" },
  /** rd_kafka_queue_t *rd_kafka_queue_get_partition(rd_kafka_t *rk, const char *topic, int32_t partition) */
  rd_kafka_queue_get_partition: { parameters: ["pointer", "buffer", "i32"], result: "pointer" },
  /** void rd_kafka_queue_forward(rd_kafka_queue_t *src, rd_kafka_queue_t *dst) */
  rd_kafka_queue_forward: { parameters: ["pointer", "pointer"], result: "void" },
  /** void rd_kafka_queue_io_event_enable(rd_kafka_queue_t *rkqu, int fd, const void *payload, size_t size) */
  rd_kafka_queue_io_event_enable: { parameters: ["pointer", "i32", "buffer", "usize"], result: "void" },
  /** rd_kafka_event_t *rd_kafka_queue_poll(rd_kafka_queue_t *rkqu, int timeout_ms) */
  rd_kafka_queue_poll: { parameters: ["pointer", "i32"], result: "pointer" },
  /** rd_kafka_event_type_t rd_kafka_event_type(const rd_kafka_event_t *rkev) */
  rd_kafka_event_type: { parameters: ["pointer"], result: "i32" },
  /** void rd_kafka_event_destroy(rd_kafka_event_t *rkev) */
  rd_kafka_event_destroy: { parameters: ["pointer"], result: "void" },
  /** void *rd_kafka_event_opaque(rd_kafka_event_t *rkev) */
  rd_kafka_event_opaque: { parameters: ["pointer"], result: "pointer" },
  /** rd_kafka_resp_err_t rd_kafka_event_error(rd_kafka_event_t *rkev) */
  rd_kafka_event_error: { parameters: ["pointer"], result: "i32" },
  /** int rd_kafka_event_error_is_fatal(rd_kafka_event_t *rkev) */
  rd_kafka_event_error_is_fatal: { parameters: ["pointer"], result: "i32" },
  /** const char *rd_kafka_event_error_string(rd_kafka_event_t *rkev) */
  rd_kafka_event_error_string: { parameters: ["pointer"], result: "pointer" },
  /** const char *rd_kafka_event_stats(rd_kafka_event_t *rkev) */
  rd_kafka_event_stats: { parameters: ["pointer"], result: "pointer" },
  /** int rd_kafka_event_log(rd_kafka_event_t *rkev, const char **fac, const char **str, int *level) */
  rd_kafka_event_log: { parameters: ["pointer", "buffer", "buffer", "buffer"], result: "i32" },
  /** size_t rd_kafka_event_message_array(rd_kafka_event_t *rkev, const rd_kafka_message_t **rkmessages, size_t size) */
  rd_kafka_event_message_array: { parameters: ["pointer", "buffer", "usize"], result: "usize" },
  /** rd_kafka_topic_partition_list_t *rd_kafka_event_topic_partition_list(rd_kafka_event_t *rkev) */
  rd_kafka_event_topic_partition_list: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_CreateTopics_result_t *rd_kafka_event_CreateTopics_result(rd_kafka_event_t *rkev) */
  rd_kafka_event_CreateTopics_result: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_DeleteTopics_result_t *rd_kafka_event_DeleteTopics_result(rd_kafka_event_t *rkev) */
  rd_kafka_event_DeleteTopics_result: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_CreatePartitions_result_t *rd_kafka_event_CreatePartitions_result(rd_kafka_event_t *rkev) */
  rd_kafka_event_CreatePartitions_result: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_DeleteRecords_result_t *rd_kafka_event_DeleteRecords_result(rd_kafka_event_t *rkev) */
  rd_kafka_event_DeleteRecords_result: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_DeleteGroups_result_t *rd_kafka_event_DeleteGroups_result(rd_kafka_event_t *rkev) */
  rd_kafka_event_DeleteGroups_result: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_ListConsumerGroups_result_t *rd_kafka_event_ListConsumerGroups_result(rd_kafka_event_t *rkev) */
  rd_kafka_event_ListConsumerGroups_result: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_DescribeConsumerGroups_result_t *rd_kafka_event_DescribeConsumerGroups_result(rd_kafka_event_t *rkev) */
  rd_kafka_event_DescribeConsumerGroups_result: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_ListConsumerGroupOffsets_result_t *rd_kafka_event_ListConsumerGroupOffsets_result(rd_kafka_event_t *rkev) */
  rd_kafka_event_ListConsumerGroupOffsets_result: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_DescribeTopics_result_t *rd_kafka_event_DescribeTopics_result(rd_kafka_event_t *rkev) */
  rd_kafka_event_DescribeTopics_result: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_ListOffsets_result_t *rd_kafka_event_ListOffsets_result(rd_kafka_event_t *rkev) */
  rd_kafka_event_ListOffsets_result: { parameters: ["pointer"], result: "pointer" },

  // Topic-partition lists
  /** rd_kafka_topic_partition_list_t *rd_kafka_topic_partition_list_new(int size) */
  rd_kafka_topic_partition_list_new: { parameters: ["i32"], result: "pointer" },
  /** void rd_kafka_topic_partition_list_destroy(rd_kafka_topic_partition_list_t *rkparlist) */
  rd_kafka_topic_partition_list_destroy: { parameters: ["pointer"], result: "void" },
  /** rd_kafka_topic_partition_t *rd_kafka_topic_partition_list_add(rd_kafka_topic_partition_list_t *rktparlist, const char *topic, int32_t partition) */
  rd_kafka_topic_partition_list_add: { parameters: ["pointer", "buffer", "i32"], result: "pointer" },
  /** int rd_kafka_topic_partition_list_del_by_idx(rd_kafka_topic_partition_list_t *rktparlist, int idx) */
  rd_kafka_topic_partition_list_del_by_idx: { parameters: ["pointer", "i32"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_topic_partition_list_set_offset(rd_kafka_topic_partition_list_t *rktparlist, const char *topic, int32_t partition, int64_t offset) */
  rd_kafka_topic_partition_list_set_offset: { parameters: ["pointer", "buffer", "i32", "i64"], result: "i32" },
  /** void rd_kafka_topic_partition_set_leader_epoch(rd_kafka_topic_partition_t *rktpar, int32_t leader_epoch) */
  rd_kafka_topic_partition_set_leader_epoch: { parameters: ["pointer", "i32"], result: "void" },
  /** int32_t rd_kafka_topic_partition_get_leader_epoch(const rd_kafka_topic_partition_t *rktpar) */
  rd_kafka_topic_partition_get_leader_epoch: { parameters: ["pointer"], result: "i32" },

  // Consumer
  /** rd_kafka_resp_err_t rd_kafka_poll_set_consumer(rd_kafka_t *rk) */
  rd_kafka_poll_set_consumer: { parameters: ["pointer"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_subscribe(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *topics) */
  rd_kafka_subscribe: { parameters: ["pointer", "pointer"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_unsubscribe(rd_kafka_t *rk) */
  rd_kafka_unsubscribe: { parameters: ["pointer"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_subscription(rd_kafka_t *rk, rd_kafka_topic_partition_list_t **topics) */
  rd_kafka_subscription: { parameters: ["pointer", "buffer"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *partitions) */
  rd_kafka_assign: { parameters: ["pointer", "pointer"], result: "i32" },
  /** rd_kafka_error_t *rd_kafka_incremental_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *partitions) */
  rd_kafka_incremental_assign: { parameters: ["pointer", "pointer"], result: "pointer" },
  /** rd_kafka_error_t *rd_kafka_incremental_unassign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *partitions) */
  rd_kafka_incremental_unassign: { parameters: ["pointer", "pointer"], result: "pointer" },
  /** rd_kafka_resp_err_t rd_kafka_assignment(rd_kafka_t *rk, rd_kafka_topic_partition_list_t **partitions) */
  rd_kafka_assignment: { parameters: ["pointer", "buffer"], result: "i32" },
  /** int rd_kafka_assignment_lost(rd_kafka_t *rk) */
  rd_kafka_assignment_lost: { parameters: ["pointer"], result: "i32" },
  /** const char *rd_kafka_rebalance_protocol(rd_kafka_t *rk) */
  rd_kafka_rebalance_protocol: { parameters: ["pointer"], result: "pointer" },
  /** ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *rkqu, int timeout_ms, rd_kafka_message_t **rkmessages, size_t rkmessages_size) */
  rd_kafka_consume_batch_queue: { parameters: ["pointer", "i32", "buffer", "usize"], result: "isize" },
  /** rd_kafka_error_t *rd_kafka_consumer_close_queue(rd_kafka_t *rk, rd_kafka_queue_t *rkqu) */
  rd_kafka_consumer_close_queue: { parameters: ["pointer", "pointer"], result: "pointer" },
  /** int rd_kafka_consumer_closed(rd_kafka_t *rk) */
  rd_kafka_consumer_closed: { parameters: ["pointer"], result: "i32" },
  /** void *rd_kafka_mem_malloc(rd_kafka_t *rk, size_t size) */
  rd_kafka_mem_malloc: { parameters: ["pointer", "usize"], result: "pointer" },
  /** rd_kafka_resp_err_t rd_kafka_offsets_store(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *offsets) */
  rd_kafka_offsets_store: { parameters: ["pointer", "pointer"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_commit(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *offsets, int async) */
  rd_kafka_commit: { parameters: ["pointer", "pointer", "i32"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_commit_queue(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *offsets, rd_kafka_queue_t *rkqu, void (*cb)(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *offsets, void *commit_opaque), void *commit_opaque) */
  rd_kafka_commit_queue: { parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_committed(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *partitions, int timeout_ms) */
  rd_kafka_committed_async: {
    name: "rd_kafka_committed",
    parameters: ["pointer", "pointer", "i32"],
    result: "i32",
    nonblocking: true,
  },
  /** rd_kafka_resp_err_t rd_kafka_position(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *partitions) */
  rd_kafka_position: { parameters: ["pointer", "pointer"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_seek(rd_kafka_topic_t *rkt, int32_t partition, int64_t offset, int timeout_ms) */
  rd_kafka_seek_async: {
    name: "rd_kafka_seek",
    parameters: ["pointer", "i32", "i64", "i32"],
    result: "i32",
    nonblocking: true,
  },
  /** rd_kafka_resp_err_t rd_kafka_pause_partitions(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *partitions) */
  rd_kafka_pause_partitions: { parameters: ["pointer", "pointer"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_resume_partitions(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *partitions) */
  rd_kafka_resume_partitions: { parameters: ["pointer", "pointer"], result: "i32" },

  // Messages
  /** void rd_kafka_message_destroy(rd_kafka_message_t *rkmessage) */
  rd_kafka_message_destroy: { parameters: ["u64"], result: "void" },
  /** int64_t rd_kafka_message_timestamp(const rd_kafka_message_t *rkmessage, rd_kafka_timestamp_type_t *tstype) */
  rd_kafka_message_timestamp: { parameters: ["u64", "buffer"], result: "i64" },
  /** rd_kafka_resp_err_t rd_kafka_message_headers(const rd_kafka_message_t *rkmessage, rd_kafka_headers_t **hdrsp) */
  rd_kafka_message_headers: { parameters: ["u64", "buffer"], result: "i32" },
  /** int32_t rd_kafka_message_leader_epoch(const rd_kafka_message_t *rkmessage) */
  rd_kafka_message_leader_epoch: { parameters: ["u64"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_header_get_all(const rd_kafka_headers_t *hdrs, size_t idx, const char **namep, const void **valuep, size_t *sizep) */
  rd_kafka_header_get_all: { parameters: ["u64", "usize", "buffer", "buffer", "buffer"], result: "i32" },
  /** rd_kafka_headers_t *rd_kafka_headers_new(size_t initial_count) */
  rd_kafka_headers_new: { parameters: ["usize"], result: "pointer" },
  /** void rd_kafka_headers_destroy(rd_kafka_headers_t *hdrs) */
  rd_kafka_headers_destroy: { parameters: ["pointer"], result: "void" },
  /** rd_kafka_resp_err_t rd_kafka_header_add(rd_kafka_headers_t *hdrs, const char *name, ssize_t name_size, const void *value, ssize_t value_size) */
  rd_kafka_header_add: { parameters: ["pointer", "buffer", "isize", "buffer", "isize"], result: "i32" },

  // Producer
  /** int rd_kafka_produce(rd_kafka_topic_t *rkt, int32_t partition, int msgflags, void *payload, size_t len, const void *key, size_t keylen, void *msg_opaque) */
  rd_kafka_produce: {
    parameters: ["pointer", "i32", "i32", "buffer", "usize", "buffer", "usize", "u64"],
    result: "i32",
  },
  /** rd_kafka_error_t *rd_kafka_produceva(rd_kafka_t *rk, const rd_kafka_vu_t *vus, size_t cnt) */
  rd_kafka_produceva: { parameters: ["pointer", "buffer", "usize"], result: "pointer" },
  /** rd_kafka_error_t *rd_kafka_init_transactions(rd_kafka_t *rk, int timeout_ms) */
  rd_kafka_init_transactions_async: {
    name: "rd_kafka_init_transactions",
    parameters: ["pointer", "i32"],
    result: "pointer",
    nonblocking: true,
  },
  /** rd_kafka_error_t *rd_kafka_begin_transaction(rd_kafka_t *rk) */
  rd_kafka_begin_transaction_async: {
    name: "rd_kafka_begin_transaction",
    parameters: ["pointer"],
    result: "pointer",
    nonblocking: true,
  },
  /** rd_kafka_error_t *rd_kafka_send_offsets_to_transaction(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *offsets, const rd_kafka_consumer_group_metadata_t *cgmetadata, int timeout_ms) */
  rd_kafka_send_offsets_to_transaction_async: {
    name: "rd_kafka_send_offsets_to_transaction",
    parameters: ["pointer", "pointer", "pointer", "i32"],
    result: "pointer",
    nonblocking: true,
  },
  /** rd_kafka_error_t *rd_kafka_commit_transaction(rd_kafka_t *rk, int timeout_ms) */
  rd_kafka_commit_transaction_async: {
    name: "rd_kafka_commit_transaction",
    parameters: ["pointer", "i32"],
    result: "pointer",
    nonblocking: true,
  },
  /** rd_kafka_error_t *rd_kafka_abort_transaction(rd_kafka_t *rk, int timeout_ms) */
  rd_kafka_abort_transaction_async: {
    name: "rd_kafka_abort_transaction",
    parameters: ["pointer", "i32"],
    result: "pointer",
    nonblocking: true,
  },
  /** rd_kafka_consumer_group_metadata_t *rd_kafka_consumer_group_metadata(rd_kafka_t *rk) */
  rd_kafka_consumer_group_metadata_async: {
    name: "rd_kafka_consumer_group_metadata",
    parameters: ["pointer"],
    result: "pointer",
    nonblocking: true,
  },
  /** void rd_kafka_consumer_group_metadata_destroy(rd_kafka_consumer_group_metadata_t *) */
  rd_kafka_consumer_group_metadata_destroy: { parameters: ["pointer"], result: "void" },
  /** rd_kafka_resp_err_t rd_kafka_flush(rd_kafka_t *rk, int timeout_ms) */
  rd_kafka_flush_async: {
    name: "rd_kafka_flush",
    parameters: ["pointer", "i32"],
    result: "i32",
    nonblocking: true,
  },
  /** rd_kafka_resp_err_t rd_kafka_purge(rd_kafka_t *rk, int purge_flags) */
  rd_kafka_purge_async: {
    name: "rd_kafka_purge",
    parameters: ["pointer", "i32"],
    result: "i32",
    nonblocking: true,
  },

  // Admin
  /** rd_kafka_NewTopic_t *rd_kafka_NewTopic_new(const char *topic, int num_partitions, int replication_factor, char *errstr, size_t errstr_size) */
  rd_kafka_NewTopic_new: { parameters: ["buffer", "i32", "i32", "buffer", "usize"], result: "pointer" },
  /** void rd_kafka_NewTopic_destroy(rd_kafka_NewTopic_t *new_topic) */
  rd_kafka_NewTopic_destroy: { parameters: ["pointer"], result: "void" },
  /** rd_kafka_resp_err_t rd_kafka_NewTopic_set_config(rd_kafka_NewTopic_t *new_topic, const char *name, const char *value) */
  rd_kafka_NewTopic_set_config: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  /** void rd_kafka_CreateTopics(rd_kafka_t *rk, rd_kafka_NewTopic_t **new_topics, size_t new_topic_cnt, const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *rkqu) */
  rd_kafka_CreateTopics: { parameters: ["pointer", "buffer", "usize", "pointer", "pointer"], result: "void" },
  /** const rd_kafka_topic_result_t **rd_kafka_CreateTopics_result_topics(const rd_kafka_CreateTopics_result_t *result, size_t *cntp) */
  rd_kafka_CreateTopics_result_topics: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** rd_kafka_DeleteTopic_t *rd_kafka_DeleteTopic_new(const char *topic) */
  rd_kafka_DeleteTopic_new: { parameters: ["buffer"], result: "pointer" },
  /** void rd_kafka_DeleteTopic_destroy(rd_kafka_DeleteTopic_t *del_topic) */
  rd_kafka_DeleteTopic_destroy: { parameters: ["pointer"], result: "void" },
  /** void rd_kafka_DeleteTopics(rd_kafka_t *rk, rd_kafka_DeleteTopic_t **del_topics, size_t del_topic_cnt, const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *rkqu) */
  rd_kafka_DeleteTopics: { parameters: ["pointer", "buffer", "usize", "pointer", "pointer"], result: "void" },
  /** const rd_kafka_topic_result_t **rd_kafka_DeleteTopics_result_topics(const rd_kafka_DeleteTopics_result_t *result, size_t *cntp) */
  rd_kafka_DeleteTopics_result_topics: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** rd_kafka_resp_err_t rd_kafka_topic_result_error(const rd_kafka_topic_result_t *topicres) */
  rd_kafka_topic_result_error: { parameters: ["pointer"], result: "i32" },
  /** const char *rd_kafka_topic_result_error_string(const rd_kafka_topic_result_t *topicres) */
  rd_kafka_topic_result_error_string: { parameters: ["pointer"], result: "pointer" },
  /** rd_kafka_AdminOptions_t *rd_kafka_AdminOptions_new(rd_kafka_t *rk, rd_kafka_admin_op_t for_api) */
  rd_kafka_AdminOptions_new: { parameters: ["pointer", "i32"], result: "pointer" },
  /** void rd_kafka_AdminOptions_destroy(rd_kafka_AdminOptions_t *options) */
  rd_kafka_AdminOptions_destroy: { parameters: ["pointer"], result: "void" },
  /** rd_kafka_resp_err_t rd_kafka_AdminOptions_set_request_timeout(rd_kafka_AdminOptions_t *options, int timeout_ms, char *errstr, size_t errstr_size) */
  rd_kafka_AdminOptions_set_request_timeout: { parameters: ["pointer", "i32", "buffer", "usize"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_AdminOptions_set_operation_timeout(rd_kafka_AdminOptions_t *options, int timeout_ms, char *errstr, size_t errstr_size) */
  rd_kafka_AdminOptions_set_operation_timeout: { parameters: ["pointer", "i32", "buffer", "usize"], result: "i32" },
  /** rd_kafka_error_t *rd_kafka_AdminOptions_set_match_consumer_group_states(rd_kafka_AdminOptions_t *options, const rd_kafka_consumer_group_state_t *consumer_group_states, size_t consumer_group_states_cnt) */
  rd_kafka_AdminOptions_set_match_consumer_group_states: {
    parameters: ["pointer", "buffer", "usize"],
    result: "pointer",
  },
  /** rd_kafka_error_t *rd_kafka_AdminOptions_set_match_consumer_group_types(rd_kafka_AdminOptions_t *options, const rd_kafka_consumer_group_type_t *consumer_group_types, size_t consumer_group_types_cnt) */
  rd_kafka_AdminOptions_set_match_consumer_group_types: {
    parameters: ["pointer", "buffer", "usize"],
    result: "pointer",
  },
  /** rd_kafka_error_t *rd_kafka_AdminOptions_set_include_authorized_operations(rd_kafka_AdminOptions_t *options, int true_or_false) */
  rd_kafka_AdminOptions_set_include_authorized_operations: {
    parameters: ["pointer", "i32"],
    result: "pointer",
  },
  /** rd_kafka_error_t *rd_kafka_AdminOptions_set_require_stable_offsets(rd_kafka_AdminOptions_t *options, int true_or_false) */
  rd_kafka_AdminOptions_set_require_stable_offsets: { parameters: ["pointer", "i32"], result: "pointer" },
  /** rd_kafka_error_t *rd_kafka_AdminOptions_set_isolation_level(rd_kafka_AdminOptions_t *options, rd_kafka_IsolationLevel_t value) */
  rd_kafka_AdminOptions_set_isolation_level: { parameters: ["pointer", "i32"], result: "pointer" },
  /** void rd_kafka_ListConsumerGroups(rd_kafka_t *rk, const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *rkqu) */
  rd_kafka_ListConsumerGroups: { parameters: ["pointer", "pointer", "pointer"], result: "void" },
  /** void rd_kafka_DescribeConsumerGroups(rd_kafka_t *rk, const char **groups, size_t groups_cnt, const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *rkqu) */
  rd_kafka_DescribeConsumerGroups: { parameters: ["pointer", "buffer", "usize", "pointer", "pointer"], result: "void" },
  /** void rd_kafka_DeleteGroups(rd_kafka_t *rk, rd_kafka_DeleteGroup_t **del_groups, size_t del_group_cnt, const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *rkqu) */
  rd_kafka_DeleteGroups: { parameters: ["pointer", "buffer", "usize", "pointer", "pointer"], result: "void" },
  /** void rd_kafka_ListConsumerGroupOffsets(rd_kafka_t *rk, rd_kafka_ListConsumerGroupOffsets_t **list_grpoffsets, size_t list_grpoffsets_cnt, const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *rkqu) */
  rd_kafka_ListConsumerGroupOffsets: {
    parameters: ["pointer", "buffer", "usize", "pointer", "pointer"],
    result: "void",
  },
  /** void rd_kafka_DeleteRecords(rd_kafka_t *rk, rd_kafka_DeleteRecords_t **del_records, size_t del_record_cnt, const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *rkqu) */
  rd_kafka_DeleteRecords: { parameters: ["pointer", "buffer", "usize", "pointer", "pointer"], result: "void" },
  /** void rd_kafka_DescribeTopics(rd_kafka_t *rk, const rd_kafka_TopicCollection_t *topics, const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *rkqu) */
  rd_kafka_DescribeTopics: { parameters: ["pointer", "pointer", "pointer", "pointer"], result: "void" },
  /** void rd_kafka_ListOffsets(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *topic_partitions, const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *rkqu) */
  rd_kafka_ListOffsets: { parameters: ["pointer", "pointer", "pointer", "pointer"], result: "void" },
  /** void rd_kafka_CreatePartitions(rd_kafka_t *rk, rd_kafka_NewPartitions_t **new_parts, size_t new_parts_cnt, const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *rkqu) */
  rd_kafka_CreatePartitions: { parameters: ["pointer", "buffer", "usize", "pointer", "pointer"], result: "void" },
  /** rd_kafka_NewPartitions_t *rd_kafka_NewPartitions_new(const char *topic, size_t new_total_cnt, char *errstr, size_t errstr_size) */
  rd_kafka_NewPartitions_new: { parameters: ["buffer", "usize", "buffer", "usize"], result: "pointer" },
  /** void rd_kafka_NewPartitions_destroy(rd_kafka_NewPartitions_t *new_parts) */
  rd_kafka_NewPartitions_destroy: { parameters: ["pointer"], result: "void" },
  /** const rd_kafka_topic_result_t **rd_kafka_CreatePartitions_result_topics(const rd_kafka_CreatePartitions_result_t *result, size_t *cntp) */
  rd_kafka_CreatePartitions_result_topics: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** rd_kafka_DeleteGroup_t *rd_kafka_DeleteGroup_new(const char *group) */
  rd_kafka_DeleteGroup_new: { parameters: ["buffer"], result: "pointer" },
  /** void rd_kafka_DeleteGroup_destroy(rd_kafka_DeleteGroup_t *del_group) */
  rd_kafka_DeleteGroup_destroy: { parameters: ["pointer"], result: "void" },
  /** const rd_kafka_group_result_t **rd_kafka_DeleteGroups_result_groups(const rd_kafka_DeleteGroups_result_t *result, size_t *cntp) */
  rd_kafka_DeleteGroups_result_groups: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** const char *rd_kafka_group_result_name(const rd_kafka_group_result_t *groupres) */
  rd_kafka_group_result_name: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_error_t *rd_kafka_group_result_error(const rd_kafka_group_result_t *groupres) */
  rd_kafka_group_result_error: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_topic_partition_list_t *rd_kafka_group_result_partitions(const rd_kafka_group_result_t *groupres) */
  rd_kafka_group_result_partitions: { parameters: ["pointer"], result: "pointer" },
  /** rd_kafka_ListConsumerGroupOffsets_t *rd_kafka_ListConsumerGroupOffsets_new(const char *group_id, const rd_kafka_topic_partition_list_t *partitions) */
  rd_kafka_ListConsumerGroupOffsets_new: { parameters: ["buffer", "pointer"], result: "pointer" },
  /** void rd_kafka_ListConsumerGroupOffsets_destroy(rd_kafka_ListConsumerGroupOffsets_t *list_grpoffsets) */
  rd_kafka_ListConsumerGroupOffsets_destroy: { parameters: ["pointer"], result: "void" },
  /** const rd_kafka_group_result_t **rd_kafka_ListConsumerGroupOffsets_result_groups(const rd_kafka_ListConsumerGroupOffsets_result_t *result, size_t *cntp) */
  rd_kafka_ListConsumerGroupOffsets_result_groups: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** rd_kafka_DeleteRecords_t *rd_kafka_DeleteRecords_new(const rd_kafka_topic_partition_list_t *before_offsets) */
  rd_kafka_DeleteRecords_new: { parameters: ["pointer"], result: "pointer" },
  /** void rd_kafka_DeleteRecords_destroy(rd_kafka_DeleteRecords_t *del_records) */
  rd_kafka_DeleteRecords_destroy: { parameters: ["pointer"], result: "void" },
  /** const rd_kafka_topic_partition_list_t *rd_kafka_DeleteRecords_result_offsets(const rd_kafka_DeleteRecords_result_t *result) */
  rd_kafka_DeleteRecords_result_offsets: { parameters: ["pointer"], result: "pointer" },
  /** rd_kafka_TopicCollection_t *rd_kafka_TopicCollection_of_topic_names(const char **topics, size_t topics_cnt) */
  rd_kafka_TopicCollection_of_topic_names: { parameters: ["buffer", "usize"], result: "pointer" },
  /** void rd_kafka_TopicCollection_destroy(rd_kafka_TopicCollection_t *topics) */
  rd_kafka_TopicCollection_destroy: { parameters: ["pointer"], result: "void" },
  /** const rd_kafka_TopicDescription_t **rd_kafka_DescribeTopics_result_topics(const rd_kafka_DescribeTopics_result_t *result, size_t *cntp) */
  rd_kafka_DescribeTopics_result_topics: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** const char *rd_kafka_TopicDescription_name(const rd_kafka_TopicDescription_t *topicdesc) */
  rd_kafka_TopicDescription_name: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_Uuid_t *rd_kafka_TopicDescription_topic_id(const rd_kafka_TopicDescription_t *topicdesc) */
  rd_kafka_TopicDescription_topic_id: { parameters: ["pointer"], result: "pointer" },
  /** int rd_kafka_TopicDescription_is_internal(const rd_kafka_TopicDescription_t *topicdesc) */
  rd_kafka_TopicDescription_is_internal: { parameters: ["pointer"], result: "i32" },
  /** const rd_kafka_error_t *rd_kafka_TopicDescription_error(const rd_kafka_TopicDescription_t *topicdesc) */
  rd_kafka_TopicDescription_error: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_AclOperation_t *rd_kafka_TopicDescription_authorized_operations(const rd_kafka_TopicDescription_t *topicdesc, size_t *cntp) */
  rd_kafka_TopicDescription_authorized_operations: {
    parameters: ["pointer", "buffer"],
    result: "pointer",
  },
  /** const rd_kafka_TopicPartitionInfo_t **rd_kafka_TopicDescription_partitions(const rd_kafka_TopicDescription_t *topicdesc, size_t *cntp) */
  rd_kafka_TopicDescription_partitions: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** const int rd_kafka_TopicPartitionInfo_partition(const rd_kafka_TopicPartitionInfo_t *partition) */
  rd_kafka_TopicPartitionInfo_partition: { parameters: ["pointer"], result: "i32" },
  /** const rd_kafka_Node_t *rd_kafka_TopicPartitionInfo_leader(const rd_kafka_TopicPartitionInfo_t *partition) */
  rd_kafka_TopicPartitionInfo_leader: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_Node_t **rd_kafka_TopicPartitionInfo_isr(const rd_kafka_TopicPartitionInfo_t *partition, size_t *cntp) */
  rd_kafka_TopicPartitionInfo_isr: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** const rd_kafka_Node_t **rd_kafka_TopicPartitionInfo_replicas(const rd_kafka_TopicPartitionInfo_t *partition, size_t *cntp) */
  rd_kafka_TopicPartitionInfo_replicas: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** int rd_kafka_Node_id(const rd_kafka_Node_t *node) */
  rd_kafka_Node_id: { parameters: ["pointer"], result: "i32" },
  /** const char *rd_kafka_Node_host(const rd_kafka_Node_t *node) */
  rd_kafka_Node_host: { parameters: ["pointer"], result: "pointer" },
  /** uint16_t rd_kafka_Node_port(const rd_kafka_Node_t *node) */
  rd_kafka_Node_port: { parameters: ["pointer"], result: "u16" },
  /** const char *rd_kafka_Node_rack(const rd_kafka_Node_t *node) */
  rd_kafka_Node_rack: { parameters: ["pointer"], result: "pointer" },
  /** const char *rd_kafka_Uuid_base64str(const rd_kafka_Uuid_t *uuid) */
  rd_kafka_Uuid_base64str: { parameters: ["pointer"], result: "pointer" },
  /** int64_t rd_kafka_Uuid_most_significant_bits(const rd_kafka_Uuid_t *uuid) */
  rd_kafka_Uuid_most_significant_bits: { parameters: ["pointer"], result: "i64" },
  /** int64_t rd_kafka_Uuid_least_significant_bits(const rd_kafka_Uuid_t *uuid) */
  rd_kafka_Uuid_least_significant_bits: { parameters: ["pointer"], result: "i64" },
  /** const rd_kafka_ListOffsetsResultInfo_t **rd_kafka_ListOffsets_result_infos(const rd_kafka_ListOffsets_result_t *result, size_t *cntp) */
  rd_kafka_ListOffsets_result_infos: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** const rd_kafka_topic_partition_t *rd_kafka_ListOffsetsResultInfo_topic_partition(const rd_kafka_ListOffsetsResultInfo_t *result_info) */
  rd_kafka_ListOffsetsResultInfo_topic_partition: { parameters: ["pointer"], result: "pointer" },
  /** int64_t rd_kafka_ListOffsetsResultInfo_timestamp(const rd_kafka_ListOffsetsResultInfo_t *result_info) */
  rd_kafka_ListOffsetsResultInfo_timestamp: { parameters: ["pointer"], result: "i64" },
  /** const rd_kafka_error_t **rd_kafka_ListConsumerGroups_result_errors(const rd_kafka_ListConsumerGroups_result_t *result, size_t *cntp) */
  rd_kafka_ListConsumerGroups_result_errors: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** const rd_kafka_ConsumerGroupListing_t **rd_kafka_ListConsumerGroups_result_valid(const rd_kafka_ListConsumerGroups_result_t *result, size_t *cntp) */
  rd_kafka_ListConsumerGroups_result_valid: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** const char *rd_kafka_ConsumerGroupListing_group_id(const rd_kafka_ConsumerGroupListing_t *grplist) */
  rd_kafka_ConsumerGroupListing_group_id: { parameters: ["pointer"], result: "pointer" },
  /** int rd_kafka_ConsumerGroupListing_is_simple_consumer_group(const rd_kafka_ConsumerGroupListing_t *grplist) */
  rd_kafka_ConsumerGroupListing_is_simple_consumer_group: { parameters: ["pointer"], result: "i32" },
  /** rd_kafka_consumer_group_state_t rd_kafka_ConsumerGroupListing_state(const rd_kafka_ConsumerGroupListing_t *grplist) */
  rd_kafka_ConsumerGroupListing_state: { parameters: ["pointer"], result: "i32" },
  /** rd_kafka_consumer_group_type_t rd_kafka_ConsumerGroupListing_type(const rd_kafka_ConsumerGroupListing_t *grplist) */
  rd_kafka_ConsumerGroupListing_type: { parameters: ["pointer"], result: "i32" },
  /** const rd_kafka_ConsumerGroupDescription_t **rd_kafka_DescribeConsumerGroups_result_groups(const rd_kafka_DescribeConsumerGroups_result_t *result, size_t *cntp) */
  rd_kafka_DescribeConsumerGroups_result_groups: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** const char *rd_kafka_ConsumerGroupDescription_group_id(const rd_kafka_ConsumerGroupDescription_t *grpdesc) */
  rd_kafka_ConsumerGroupDescription_group_id: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_error_t *rd_kafka_ConsumerGroupDescription_error(const rd_kafka_ConsumerGroupDescription_t *grpdesc) */
  rd_kafka_ConsumerGroupDescription_error: { parameters: ["pointer"], result: "pointer" },
  /** size_t rd_kafka_ConsumerGroupDescription_member_count(const rd_kafka_ConsumerGroupDescription_t *grpdesc) */
  rd_kafka_ConsumerGroupDescription_member_count: { parameters: ["pointer"], result: "usize" },
  /** const rd_kafka_MemberDescription_t *rd_kafka_ConsumerGroupDescription_member(const rd_kafka_ConsumerGroupDescription_t *grpdesc, size_t idx) */
  rd_kafka_ConsumerGroupDescription_member: { parameters: ["pointer", "usize"], result: "pointer" },
  /** int rd_kafka_ConsumerGroupDescription_is_simple_consumer_group(const rd_kafka_ConsumerGroupDescription_t *grpdesc) */
  rd_kafka_ConsumerGroupDescription_is_simple_consumer_group: { parameters: ["pointer"], result: "i32" },
  /** const char *rd_kafka_ConsumerGroupDescription_partition_assignor(const rd_kafka_ConsumerGroupDescription_t *grpdesc) */
  rd_kafka_ConsumerGroupDescription_partition_assignor: { parameters: ["pointer"], result: "pointer" },
  /** rd_kafka_consumer_group_state_t rd_kafka_ConsumerGroupDescription_state(const rd_kafka_ConsumerGroupDescription_t *grpdesc) */
  rd_kafka_ConsumerGroupDescription_state: { parameters: ["pointer"], result: "i32" },
  /** rd_kafka_consumer_group_type_t rd_kafka_ConsumerGroupDescription_type(const rd_kafka_ConsumerGroupDescription_t *grpdesc) */
  rd_kafka_ConsumerGroupDescription_type: { parameters: ["pointer"], result: "i32" },
  /** const rd_kafka_Node_t *rd_kafka_ConsumerGroupDescription_coordinator(const rd_kafka_ConsumerGroupDescription_t *grpdesc) */
  rd_kafka_ConsumerGroupDescription_coordinator: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_AclOperation_t *rd_kafka_ConsumerGroupDescription_authorized_operations(const rd_kafka_ConsumerGroupDescription_t *grpdesc, size_t *cntp) */
  rd_kafka_ConsumerGroupDescription_authorized_operations: {
    parameters: ["pointer", "buffer"],
    result: "pointer",
  },
  /** const char *rd_kafka_MemberDescription_host(const rd_kafka_MemberDescription_t *member) */
  rd_kafka_MemberDescription_host: { parameters: ["pointer"], result: "pointer" },
  /** const char *rd_kafka_MemberDescription_client_id(const rd_kafka_MemberDescription_t *member) */
  rd_kafka_MemberDescription_client_id: { parameters: ["pointer"], result: "pointer" },
  /** const char *rd_kafka_MemberDescription_consumer_id(const rd_kafka_MemberDescription_t *member) */
  rd_kafka_MemberDescription_consumer_id: { parameters: ["pointer"], result: "pointer" },
  /** const char *rd_kafka_MemberDescription_group_instance_id(const rd_kafka_MemberDescription_t *member) */
  rd_kafka_MemberDescription_group_instance_id: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_MemberAssignment_t *rd_kafka_MemberDescription_assignment(const rd_kafka_MemberDescription_t *member) */
  rd_kafka_MemberDescription_assignment: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_MemberAssignment_t *rd_kafka_MemberDescription_target_assignment(const rd_kafka_MemberDescription_t *member) */
  rd_kafka_MemberDescription_target_assignment: { parameters: ["pointer"], result: "pointer" },
  /** const rd_kafka_topic_partition_list_t *rd_kafka_MemberAssignment_partitions(const rd_kafka_MemberAssignment_t *assignment) */
  rd_kafka_MemberAssignment_partitions: { parameters: ["pointer"], result: "pointer" },

  // Mock cluster
  /** rd_kafka_mock_cluster_t *rd_kafka_mock_cluster_new(rd_kafka_t *rk, int broker_cnt) */
  rd_kafka_mock_cluster_new: { parameters: ["pointer", "i32"], result: "pointer" },
  /** void rd_kafka_mock_cluster_destroy(rd_kafka_mock_cluster_t *mcluster) */
  rd_kafka_mock_cluster_destroy: { parameters: ["pointer"], result: "void" },
  /** const char *rd_kafka_mock_cluster_bootstraps(const rd_kafka_mock_cluster_t *mcluster) */
  rd_kafka_mock_cluster_bootstraps: { parameters: ["pointer"], result: "pointer" },
  /** void rd_kafka_mock_group_initial_rebalance_delay_ms(rd_kafka_mock_cluster_t *mcluster, int32_t delay_ms) */
  rd_kafka_mock_group_initial_rebalance_delay_ms: { parameters: ["pointer", "i32"], result: "void" },
  /** rd_kafka_resp_err_t rd_kafka_mock_topic_create(rd_kafka_mock_cluster_t *mcluster, const char *topic, int partition_cnt, int replication_factor) */
  rd_kafka_mock_topic_create: { parameters: ["pointer", "buffer", "i32", "i32"], result: "i32" },
  /** void rd_kafka_mock_push_request_errors_array(rd_kafka_mock_cluster_t *mcluster, int16_t ApiKey, size_t cnt, const rd_kafka_resp_err_t *errors) */
  rd_kafka_mock_push_request_errors_array: { parameters: ["pointer", "i16", "usize", "buffer"], result: "void" },
  /** void rd_kafka_mock_clear_request_errors(rd_kafka_mock_cluster_t *mcluster, int16_t ApiKey) */
  rd_kafka_mock_clear_request_errors: { parameters: ["pointer", "i16"], result: "void" },
  /** rd_kafka_resp_err_t rd_kafka_mock_broker_set_down(rd_kafka_mock_cluster_t *mcluster, int32_t broker_id) */
  rd_kafka_mock_broker_set_down: { parameters: ["pointer", "i32"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_mock_broker_set_up(rd_kafka_mock_cluster_t *mcluster, int32_t broker_id) */
  rd_kafka_mock_broker_set_up: { parameters: ["pointer", "i32"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_mock_broker_set_rtt(rd_kafka_mock_cluster_t *mcluster, int32_t broker_id, int rtt_ms) */
  rd_kafka_mock_broker_set_rtt: { parameters: ["pointer", "i32", "i32"], result: "i32" },
  /** rd_kafka_resp_err_t rd_kafka_mock_coordinator_set(rd_kafka_mock_cluster_t *mcluster, const char *key_type, const char *key, int32_t broker_id) */
  rd_kafka_mock_coordinator_set: { parameters: ["pointer", "buffer", "buffer", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;
