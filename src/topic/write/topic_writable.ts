/**
 * A Topic as a Web Stream that takes records.
 *
 * @module
 */

import { KafkaError } from "../../kafka/kafka_error.ts";
import type { Delivery, SinkWriter } from "../../protocol/protocol.ts";
import type { TopicInput } from "./topic_record.ts";

/**
 * Returns a stream that writes records.
 *
 * @param writer is closed with the stream
 * @param where the topic, for errors
 * @param onEnded called when the stream was closed, was aborted or has failed
 */
export function topicWritable<K, V>(
  writer: SinkWriter<TopicInput<K, V>>,
  where: string,
  onEnded: () => void,
): WritableStream<TopicInput<K, V>> {
  // Each stream has a delivery of its own, so a failure concerns no other stream.
  let delivery: Delivery;
  return new WritableStream<TopicInput<K, V>>({
    start: (controller) => {
      delivery = {
        undelivered(error) {
          onEnded();
          controller.error(error);
          void writer.close(error);
          throw error;
        },
      };
    },
    write: async (input) => {
      try {
        await writer.accept(input, delivery);
      } catch (error) {
        onEnded();
        void writer.close(error);
        throw error;
      }
    },
    close: async () => {
      onEnded();
      await writer.settle(delivery);
      await writer.close();
    },
    abort: async (reason) => {
      onEnded();
      await writer.close(reason ?? new KafkaError(`${where}: the stream was aborted`));
    },
  });
}
