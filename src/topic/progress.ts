/**
 * How far a reader's messages are handled.
 *
 * @module
 */

import { ByPartition, type Place } from "./by_partition.ts";

/** A partition and an offset in it. */
export interface PartitionOffset extends Place {
  readonly offset: number;
  readonly leaderEpoch?: number;
}

/** Messages that were handed out together. */
export interface Handed {
  /** Counts messages as handled, in order: their offsets are stored with the next {@linkcode Progress.flush}. */
  handled(place: PartitionOffset): void;
  /** Whether the partition was lost or moved by a seek since: what is left of it here is not to be handed on. */
  stale(place: Place): boolean;
  /** All of them are handled, or given up; call it once. */
  over(): void;
}

/** Remembers the next offset of each partition, and who still holds messages. */
export class Progress {
  readonly #next = new ByPartition<PartitionOffset>();
  readonly #dirty = new ByPartition<Place>();
  /** How often partitions were forgotten, and which of those times was a partition's last. */
  #times = 0;
  readonly #forgotten = new ByPartition<number>();
  readonly #store: (offsets: readonly PartitionOffset[]) => void;
  readonly #stores: boolean;
  #inHands = 0;
  #waiting: (() => void)[] = [];

  constructor(store: (offsets: readonly PartitionOffset[]) => void, stores: boolean) {
    this.#store = store;
    this.#stores = stores;
  }

  /** Hands messages out. */
  hand(): Handed {
    this.#inHands++;
    // A partition that was lost, or moved by a seek, since then must not be set back by what is handled late.
    const times = this.#times;
    const stale = (place: Place) => this.#times !== times && (this.#forgotten.get(place) ?? 0) > times;
    let over = false;
    return {
      stale,
      handled: (place) => {
        if (stale(place)) return;
        const { topic, partition, offset, leaderEpoch } = place;
        this.#next.set(place, {
          topic,
          partition,
          offset: offset + 1,
          ...(leaderEpoch === undefined ? {} : { leaderEpoch }),
        });
        this.#dirty.set(place, place);
      },
      over: () => {
        if (over) return;
        over = true;
        if (--this.#inHands === 0) { for (const resolve of this.#waiting.splice(0)) resolve(); }
      },
    };
  }

  /** The next offset of a partition; `undefined` before anything of it is handled. */
  next(place: Place): number | undefined {
    return this.#next.get(place)?.offset;
  }

  /** Everything that is handled, as offsets to be committed. */
  all(): PartitionOffset[] {
    return [...this.#next.values()];
  }

  /** Stores what was handled since the last time. */
  flush(): void {
    if (!this.#stores) return;
    const offsets = [...this.#dirty.values()].map((place) => this.#next.get(place)!);
    if (offsets.length === 0) return;
    this.#dirty.clear();
    this.#store(offsets);
  }

  /** Resolves when nobody holds messages any more, or the time is out. */
  async settled(timeoutMs: number): Promise<void> {
    if (this.#inHands === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([
      new Promise<void>((resolve) => this.#waiting.push(resolve)),
      new Promise<void>((resolve) => timer = setTimeout(resolve, timeoutMs)),
    ]);
    clearTimeout(timer);
  }

  /** Forgets partitions: they are another's now, or will be read elsewhere. */
  forget(places: Iterable<Place>): void {
    this.#times++;
    for (const place of places) {
      this.#next.delete(place);
      this.#dirty.delete(place);
      this.#forgotten.set(place, this.#times);
    }
  }
}
