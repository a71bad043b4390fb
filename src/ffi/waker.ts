/**
 * What wakes the clients of this process when librdkafka has something for them.
 *
 * Every queue writes its client's number to one pipe when it is no longer empty, and one call parked in `poll(2)` on
 * a blocking thread reads it. One parked call for each client would take all of Deno's 32 blocking threads at 32
 * clients, and file reads and DNS would starve.
 *
 * @module
 */

import { addressOf, libc, type Pointer } from "./memory.ts";

/** A client whose queues wake it. */
export interface Wakeable {
  /** Called when a queue of the client may hold something; also without need. */
  wake(): void;
}

/** How long the parked call waits, in milliseconds: the longest that a lost wake-up can last. */
const PARKED_MS = 250;
/** A read of this many bytes may have left more behind, or the pipe was full: everyone is woken then. */
const READ_BYTES = 4096;
const POLLIN = 1;

class Waker {
  readonly #clients = new Map<number, Wakeable>();
  readonly #read = new Uint8Array(READ_BYTES);
  /** C's own memory: a process may end, and free JavaScript's, while the parked call still writes there. */
  #pollfd: Pointer = null;
  #pipe: { readonly reader: number; readonly writer: number } | undefined;
  #parked = false;
  #lastId = 0;

  /** Where a client's queues write, and what: the arguments of `rd_kafka_queue_io_event_enable`. */
  register(client: Wakeable): { readonly id: number; readonly fd: number; readonly payload: Uint8Array<ArrayBuffer> } {
    const { writer } = this.#pipe ??= this.#openPipe();
    const id = ++this.#lastId;
    this.#clients.set(id, client);
    void this.#park();
    return { id, fd: writer, payload: new Uint8Array(new Uint32Array([id]).buffer) };
  }

  /** Forgets a client. After the last one, nothing of the waker keeps the process alive. */
  unregister(id: number): void {
    this.#clients.delete(id);
    // The parked call would keep the process alive until its time is out.
    if (this.#clients.size === 0 && this.#parked) libc().write(this.#pipe!.writer, new Uint8Array(4), 4n);
  }

  #openPipe(): { reader: number; writer: number } {
    const fds = new Int32Array(2);
    if (libc().pipe(fds) !== 0) throw new Error("Can't open a pipe: the process has too many open files");
    const [reader, writer] = fds as unknown as [number, number];
    const pollfd = new Uint8Array(8), view = new DataView(pollfd.buffer);
    view.setInt32(0, reader, true);
    view.setInt16(4, POLLIN, true);
    this.#pollfd = libc().calloc(1n, 8n);
    libc().memcpy(Deno.UnsafePointer.value(this.#pollfd), addressOf(pollfd), 8n);
    return { reader, writer };
  }

  async #park(): Promise<void> {
    if (this.#parked) return;
    this.#parked = true;
    try {
      while (this.#clients.size > 0) {
        const ready = await libc().poll_async(this.#pollfd, 1n, PARKED_MS);
        // Read only what poll has announced: the pipe's ends block. (A queue writes once until it is served, so that
        // the pipe can't fill up.)
        const bytes = ready > 0 ? Number(libc().read(this.#pipe!.reader, this.#read, BigInt(READ_BYTES))) : 0;
        if (bytes === 0 || bytes === READ_BYTES || bytes % 4 !== 0) this.#wakeAll();
        else this.#wakeNamed(bytes / 4);
      }
    } finally {
      this.#parked = false;
    }
  }

  #wakeAll(): void {
    for (const id of [...this.#clients.keys()]) this.#wake(id);
  }

  #wakeNamed(count: number): void {
    const ids = new Uint32Array(this.#read.buffer, 0, count);
    if (count === 1) this.#wake(ids[0]!);
    else for (const id of new Set(ids)) this.#wake(id);
  }

  #wake(id: number): void {
    try {
      this.#clients.get(id)?.wake();
    } catch (error) {
      // A program's callback has thrown: that is the program's to see, and must not end the waking of other clients.
      reportError(error);
    }
  }
}

/** The process' only waker. */
export const waker: Waker = new Waker();
export type { Waker };
