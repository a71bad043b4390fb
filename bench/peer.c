/*
 * What the benchmark measures slipstream against: the same work, written by hand on the same librdkafka.
 *
 * peer version | create SERVERS TOPIC | delete SERVERS TOPIC | produce SERVERS TOPIC MESSAGES VALUE_BYTES KEY_BYTES
 *      | consume SERVERS TOPIC MESSAGES | move SERVERS FROM MESSAGES TO GROUP
 *
 * A measurement prints one line of JSON: messages, bytes of their values, and seconds from the first message to the
 * last.
 */
#include <rdkafka.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 1000
#define WAIT_MS 30000

static void fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void report(long messages, long bytes, double seconds) {
  printf("{\"messages\":%ld,\"bytes\":%ld,\"seconds\":%.6f}\n", messages, bytes, seconds);
  fflush(stdout);
}

/* Clients */

/* A property that an old librdkafka does not know is left out, as slipstream does. */
static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char error[256];
  if (rd_kafka_conf_set(conf, name, value, error, sizeof error) == RD_KAFKA_CONF_INVALID) fail("%s: %s", name, error);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf, const char *servers) {
  char error[256];
  set(conf, "bootstrap.servers", servers);
  rd_kafka_t *rk = rd_kafka_new(type, conf, error, sizeof error);
  if (rk == NULL) fail("no client: %s", error);
  return rk;
}

static long delivered;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
  (void)rk;
  (void)opaque;
  if (message->err) fail("not delivered: %s", rd_kafka_err2str(message->err));
  delivered++;
}

static rd_kafka_t *producer(const char *servers) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "enable.idempotence", "true");
  set(conf, "linger.ms", "5");
  set(conf, "queue.buffering.max.messages", "100000");
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  return client(RD_KAFKA_PRODUCER, conf, servers);
}

static rd_kafka_t *consumer(const char *servers, const char *group) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "group.id", group == NULL ? "peer-without-group" : group);
  set(conf, "enable.auto.commit", group == NULL ? "false" : "true");
  set(conf, "auto.commit.interval.ms", "1000");
  set(conf, "enable.auto.offset.store", "false");
  set(conf, "fetch.queue.backoff.ms", "5");
  return client(RD_KAFKA_CONSUMER, conf, servers);
}

/* Topics: made with one partition before anything is measured, so that no measurement waits for that. */

static void administer(const char *servers, const char *topic, int create) {
  rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), servers);
  rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
  char error[256];
  if (create) {
    rd_kafka_NewTopic_t *new = rd_kafka_NewTopic_new(topic, 1, -1, error, sizeof error);
    if (new == NULL) fail("create %s: %s", topic, error);
    rd_kafka_CreateTopics(rk, &new, 1, NULL, queue);
    rd_kafka_NewTopic_destroy(new);
  } else {
    rd_kafka_DeleteTopic_t *old = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_DeleteTopics(rk, &old, 1, NULL, queue);
    rd_kafka_DeleteTopic_destroy(old);
  }
  rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
  if (event == NULL) fail("%s: no broker answers at %s", topic, servers);
  if (rd_kafka_event_error(event)) fail("%s: %s", topic, rd_kafka_event_error_string(event));
  size_t count;
  const rd_kafka_topic_result_t **results =
      create ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
             : rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
  for (size_t i = 0; i < count; i++) {
    if (rd_kafka_topic_result_error(results[i])) fail("%s: %s", topic, rd_kafka_topic_result_error_string(results[i]));
  }
  rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(rk);
}

/* Writing */

static void produce_one(rd_kafka_t *rk, rd_kafka_topic_t *to, void *value, size_t size, const void *key,
                        size_t key_size) {
  while (rd_kafka_produce(to, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value, size, key, key_size, NULL) == -1) {
    if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail("%s", rd_kafka_err2str(rd_kafka_last_error()));
    rd_kafka_poll(rk, 100);
  }
}

/* Connected, and with a producer id, which takes librdkafka up to half a second: that would be all one measures. */
static void warm_up(rd_kafka_t *rk, rd_kafka_topic_t *to, void *value, size_t size) {
  produce_one(rk, to, value, size, NULL, 0);
  while (delivered == 0) rd_kafka_poll(rk, 100);
  delivered = 0;
}

static void produce(const char *servers, const char *topic, long messages, size_t size, size_t key_size) {
  rd_kafka_t *rk = producer(servers);
  rd_kafka_topic_t *to = rd_kafka_topic_new(rk, topic, NULL);
  char *bytes = malloc(size + key_size + 1);
  memset(bytes, 'x', size + key_size + 1);
  warm_up(rk, to, bytes, size);
  double start = now();
  for (long i = 0; i < messages; i++) {
    produce_one(rk, to, bytes, size, key_size == 0 ? NULL : bytes + size, key_size);
    if (i % BATCH == 0) rd_kafka_poll(rk, 0);
  }
  while (delivered < messages) rd_kafka_poll(rk, 100);
  report(messages, messages * (long)size, now() - start);
  free(bytes);
  rd_kafka_topic_destroy(to);
  rd_kafka_destroy(rk);
}

/* Reading */

static void assign(rd_kafka_t *rk, const char *topic) {
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_resp_err_t code = rd_kafka_assign(rk, list);
  if (code) fail("assign: %s", rd_kafka_err2str(code));
  rd_kafka_topic_partition_list_destroy(list);
}

/* Never asks for more than are left: librdkafka would wait for them. */
static long consume_batch(rd_kafka_queue_t *queue, rd_kafka_message_t **batch, long left) {
  long count = rd_kafka_consume_batch_queue(queue, WAIT_MS, batch, left < BATCH ? left : BATCH);
  if (count <= 0) fail("no messages come, %ld are missing", left);
  for (long i = 0; i < count; i++) {
    if (batch[i]->err) fail("consume: %s", rd_kafka_message_errstr(batch[i]));
  }
  return count;
}

static void consume(const char *servers, const char *topic, long messages) {
  rd_kafka_t *rk = consumer(servers, NULL);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
  rd_kafka_message_t *batch[BATCH];
  assign(rk, topic);
  double start = 0;
  long read = 0, bytes = 0;
  while (read < messages) {
    long count = consume_batch(queue, batch, messages - read);
    if (read == 0) start = now();
    for (long i = 0; i < count; i++) {
      bytes += (long)batch[i]->len;
      rd_kafka_message_destroy(batch[i]);
    }
    read += count;
  }
  report(read, bytes, now() - start);
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(rk);
  rd_kafka_destroy(rk);
}

/* From topic to topic, at least once: an offset is stored when everything up to it is delivered. */

static void store(rd_kafka_t *rk, const char *topic, long offset) {
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic, 0)->offset = offset;
  rd_kafka_resp_err_t code = rd_kafka_offsets_store(rk, list);
  if (code) fail("store: %s", rd_kafka_err2str(code));
  rd_kafka_topic_partition_list_destroy(list);
}

static void move(const char *servers, const char *from, long messages, const char *topic, const char *group) {
  rd_kafka_t *writer = producer(servers);
  rd_kafka_topic_t *to = rd_kafka_topic_new(writer, topic, NULL);
  warm_up(writer, to, "warm", 4);
  rd_kafka_t *reader = consumer(servers, group);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(reader);
  rd_kafka_message_t *batch[BATCH];
  assign(reader, from);
  double start = 0;
  long read = 0, bytes = 0, stored = 0, first = 0;
  while (read < messages) {
    long count = consume_batch(queue, batch, messages - read);
    if (read == 0) {
      start = now();
      first = batch[0]->offset;
    }
    for (long i = 0; i < count; i++) {
      bytes += (long)batch[i]->len;
      produce_one(writer, to, batch[i]->payload, batch[i]->len, batch[i]->key, batch[i]->key_len);
      rd_kafka_message_destroy(batch[i]);
    }
    read += count;
    rd_kafka_poll(writer, 0);
    /* One partition, idempotent: reports come in the order of the messages. */
    if (delivered - stored >= BATCH) store(reader, from, first + (stored = delivered));
  }
  while (delivered < messages) rd_kafka_poll(writer, 100);
  store(reader, from, first + delivered);
  report(read, bytes, now() - start);
  rd_kafka_topic_destroy(to);
  rd_kafka_destroy(writer);
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(reader);
  rd_kafka_destroy(reader);
}

int main(int count, char **args) {
  const char *mode = count > 1 ? args[1] : "";
  if (!strcmp(mode, "version") && count == 2) puts(rd_kafka_version_str());
  else if (!strcmp(mode, "create") && count == 4) administer(args[2], args[3], 1);
  else if (!strcmp(mode, "delete") && count == 4) administer(args[2], args[3], 0);
  else if (!strcmp(mode, "produce") && count == 7)
    produce(args[2], args[3], atol(args[4]), atol(args[5]), atol(args[6]));
  else if (!strcmp(mode, "consume") && count == 5) consume(args[2], args[3], atol(args[4]));
  else if (!strcmp(mode, "move") && count == 7) move(args[2], args[3], atol(args[4]), args[5], args[6]);
  else fail("usage: see the top of peer.c");
  return 0;
}
