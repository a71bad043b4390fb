/**
 * How far a reader's messages are handled.
 *
 * @module
 */

/** A partition and an offset in it. */
export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch?: number;
}

/** Messages that were handed out together. */
export interface Handed {
  /** Counts messages as handled, in order: their offsets are stored with the next {@linkcode Progress.flush}. */
  handled(place: PartitionOffset): void;
  /** Whether the partition was lost or moved by a seek since: what is left of it here is not to be handed on. */
  stale(partition: number): boolean;
  /** All of them are handled, or given up; call it once. */
  over(): void;
}

/** Remembers the next offset of each partition, and who still holds messages. */
export class Progress {
  readonly #next = new Map<number, PartitionOffset>();
  readonly #eras = new Map<number, number>();
  readonly #dirty = new Set<number>();
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
    const eras = new Map(this.#eras);
    const stale = (partition: number) => eras.get(partition) !== this.#eras.get(partition);
    let over = false;
    return {
      stale,
      handled: ({ topic, partition, offset, leaderEpoch }) => {
        if (stale(partition)) return;
        this.#next.set(partition, {
          topic,
          partition,
          offset: offset + 1,
          ...(leaderEpoch === undefined ? {} : { leaderEpoch }),
        });
        this.#dirty.add(partition);
      },
      over: () => {
        if (over) return;
        over = true;
        if (--this.#inHands === 0) { for (const resolve of this.#waiting.splice(0)) resolve(); }
      },
    };
  }

  /** The next offset of a partition; `undefined` before anything of it is handled. */
  next(partition: number): number | undefined {
    return this.#next.get(partition)?.offset;
  }

  /** Everything that is handled, as offsets to be committed. */
  all(): PartitionOffset[] {
    return [...this.#next.values()];
  }

  /** Stores what was handled since the last time. */
  flush(): void {
    if (!this.#stores || this.#dirty.size === 0) return;
    const offsets = [...this.#dirty].map((partition) => this.#next.get(partition)!);
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
  forget(partitions: ReadonlySet<number>): void {
    for (const partition of partitions) {
      this.#next.delete(partition);
      this.#dirty.delete(partition);
      this.#eras.set(partition, (this.#eras.get(partition) ?? 0) + 1);
    }
  }
}
