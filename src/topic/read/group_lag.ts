/**
 * Asking for the lag of a consumer group without joining it.
 *
 * @module
 */

import { BrokerQueries } from "./broker_queries.ts";
import { consumerConf } from "./consumer_conf.ts";
import { type Lag, lagInTime, lagOf } from "./lag.ts";
import type { Notices } from "../../notices/notices.ts";
import { ReaderConnection } from "./reader_connection.ts";
import { ResettableSignal } from "../../async/resettable_signal.ts";
import type { TopicNames } from "./topic_names.ts";

/** A connection that concurrent calls of `GroupLag.lag` share. */
interface Session {
  readonly connection: ReaderConnection;
  readonly queries: BrokerQueries;
  readonly stopped: ResettableSignal;
  users: number;
}

/** Asks for the lag of a consumer group; without a group, for what the topics hold. Connected only while it is asked. */
export class GroupLag {
  readonly #names: TopicNames;
  readonly #conf: Readonly<Record<string, unknown>>;
  readonly #notices: Notices;
  #session: Session | undefined;

  constructor(names: TopicNames, conf: Readonly<Record<string, unknown>>, notices: Notices) {
    this.#names = names;
    this.#conf = conf;
    this.#notices = notices;
  }

  /**
   * The lag of all partitions.
   *
   * @throws {KafkaError} If a topic does not exist, a broker refuses or does not answer in time, or this is closed meanwhile.
   */
  async lag(): Promise<Lag> {
    const session = this.#session ??= this.#newSession();
    session.users++;
    try {
      return await lagInTime(this.#names.where, this.#ask(session));
    } finally {
      if (--session.users === 0) {
        this.#session = undefined;
        await close(session);
      }
    }
  }

  #newSession(): Session {
    const stopped = new ResettableSignal();
    return {
      stopped,
      users: 0,
      queries: new BrokerQueries(this.#names, stopped, this.#notices),
      connection: new ReaderConnection({
        names: this.#names,
        conf: consumerConf(this.#conf, false),
        notices: this.#notices,
        stopped,
      }),
    };
  }

  async #ask({ connection, queries }: Session): Promise<Lag> {
    const consumer = await connection.openInTime("ask for its lag");
    const partitions = await queries.partitionsOfAll(consumer);
    const isGrouped = this.#conf["group.id"] !== undefined && partitions.length > 0;
    const committed = isGrouped
      ? await queries.committed(consumer, partitions)
      : partitions.map((partition) => ({ ...partition, offset: -1 }));
    return await lagOf(committed, (partition) => queries.watermarks(consumer, partition));
  }

  /** Disconnects; what is being asked rejects. */
  async close(): Promise<void> {
    if (this.#session !== undefined) await close(this.#session);
  }
}

async function close({ stopped, connection }: Session): Promise<void> {
  stopped.fire();
  await connection.close();
}
