/**
 * The names of the topics whose handles lie in messages.
 *
 * @module
 */

import { openLibrary } from "./library.ts";
import { readCString } from "./memory.ts";

/** Names by the address of their `rd_kafka_topic_t`, for one client: C is asked once for each. */
export class TopicHandleNames {
  readonly #names = new Map<number, string>();

  /** The name of the topic with this handle. */
  of(handle: number): string {
    let name = this.#names.get(handle);
    if (name === undefined) {
      name = readCString(openLibrary().symbols.rd_kafka_topic_name(BigInt(handle)));
      this.#names.set(handle, name);
    }
    return name;
  }
}
