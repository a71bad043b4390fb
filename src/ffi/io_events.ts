/**
 * IO events: librdkafka's way to say that a queue is no longer empty.
 *
 * Every queue writes the id of its client to one pipe when it stops being empty. One call, parked in `poll(2)` on one of
 * Deno's blocking threads, waits for the pipe and wakes the clients. With a parked call for each client, 32 clients would
 * take all of Deno's 32 blocking threads, and file reads and DNS would starve.
 *
 * @module
 */

import { addressOf, libc, type Pointer } from "./memory.ts";

/** A client that listens to the IO events of its queues. */
export interface IoEventListener {
  /** Called when a queue of the client may hold something. The queues may also be empty. */
  wake(): void;
}

/** The time-out of the parked call, in milliseconds: a lost IO event delays its client by no more. */
const PARKED_MS = 250;
/** The largest read from the pipe. After one of this size the pipe may hold more, or may have been full. */
const READ_BYTES = 4096;
/** The event bit of `poll(2)` for "there is data to read". */
const POLLIN = 1;

class IoEvents {
  readonly #listeners = new Map<number, IoEventListener>();
  readonly #readBuffer = new Uint8Array(READ_BYTES);
  /** In C's memory: a process that ends may free JavaScript's memory while the parked call still writes to it. */
  #pollfd: Pointer = null;
  #pipe: { readonly reader: number; readonly writer: number } | undefined;
  #isParked = false;
  #lastId = 0;

  /** Adds a listener. `fd` and `payload` are the arguments of `rd_kafka_queue_io_event_enable` for its queues. */
  register(
    listener: IoEventListener,
  ): { readonly id: number; readonly fd: number; readonly payload: Uint8Array<ArrayBuffer> } {
    const { writer } = this.#pipe ??= this.#openPipe();
    const id = ++this.#lastId;
    this.#listeners.set(id, listener);
    void this.#park();
    return { id, fd: writer, payload: new Uint8Array(new Uint32Array([id]).buffer) };
  }

  /** Removes a listener. Once the last one is removed, nothing here keeps the process alive. */
  unregister(id: number): void {
    this.#listeners.delete(id);
    // A write ends the parked call, which would keep the process alive until its time-out.
    if (this.#listeners.size === 0 && this.#isParked) libc().write(this.#pipe!.writer, new Uint8Array(4), 4n);
  }

  #openPipe(): { reader: number; writer: number } {
    const fds = new Int32Array(2);
    if (libc().pipe(fds) !== 0) {
      throw new Error("Can't open a pipe for librdkafka's events: the process has too many open files (see ulimit -n)");
    }
    const [reader, writer] = fds as unknown as [number, number];
    const pollfd = new Uint8Array(8), view = new DataView(pollfd.buffer);
    view.setInt32(0, reader, true);
    view.setInt16(4, POLLIN, true);
    this.#pollfd = libc().calloc(1n, 8n);
    libc().memcpy(Deno.UnsafePointer.value(this.#pollfd), addressOf(pollfd), 8n);
    return { reader, writer };
  }

  async #park(): Promise<void> {
    if (this.#isParked) return;
    this.#isParked = true;
    try {
      while (this.#listeners.size > 0) {
        const ready = await libc().poll_async(this.#pollfd, 1n, PARKED_MS);
        // Read only what poll() has announced: the ends of the pipe block. (The pipe can't fill up, since a queue writes
        // once and not again until it is served.)
        const bytes = ready > 0 ? Number(libc().read(this.#pipe!.reader, this.#readBuffer, BigInt(READ_BYTES))) : 0;
        if (bytes === 0 || bytes === READ_BYTES || bytes % 4 !== 0) this.#wakeAll();
        else this.#wakeRead(bytes / 4);
      }
    } finally {
      this.#isParked = false;
    }
  }

  #wakeAll(): void {
    for (const id of [...this.#listeners.keys()]) this.#wake(id);
  }

  /** Wakes the listeners whose ids were read. */
  #wakeRead(count: number): void {
    const ids = new Uint32Array(this.#readBuffer.buffer, 0, count);
    if (count === 1) this.#wake(ids[0]!);
    else for (const id of new Set(ids)) this.#wake(id);
  }

  #wake(id: number): void {
    try {
      this.#listeners.get(id)?.wake();
    } catch (error) {
      // A callback of the program has thrown. The program must see it, and the other clients must still be woken.
      reportError(error);
    }
  }
}

/** The IO events of this process. */
export const ioEvents: IoEvents = new IoEvents();
export type { IoEvents };
