/**
 * The notices of one Topic.
 *
 * @module
 */

import { emitNotice, type Notice, type NoticeCode } from "./notice.ts";

/** What a notice concerns. */
export type NoticeSubject = Pick<Notice, "topic" | "partition" | "handler" | "broker">;

/** Reports the trouble of one Topic: each once while it lasts. */
export class Notices {
  /** The codes and subjects of the trouble that has begun and not ended. */
  readonly #active = new Set<string>();
  /** The last event of each code and subject. */
  readonly #lastEvents = new Map<string, string>();
  readonly #redact: (text: string) => string;
  readonly #subject: NoticeSubject;

  /**
   * @param redact removes secrets from a text
   * @param topic the name of the Topic
   */
  constructor(redact: (text: string) => string, topic?: string) {
    this.#redact = redact;
    this.#subject = topic === undefined ? {} : { topic };
  }

  /** Reports that trouble begins, unless it has begun already and not ended. */
  raise(code: NoticeCode, text: string, subject?: NoticeSubject): void {
    const key = keyOf(code, subject);
    if (this.#active.has(key)) return;
    this.#active.add(key);
    this.#emit(code, text, false, subject);
  }

  /** Reports that trouble has ended, if it had begun. */
  clear(code: NoticeCode, text: string, subject?: NoticeSubject): void {
    // Called for each batch and each commit: mostly there is no trouble.
    if (this.#active.size > 0 && this.#active.delete(keyOf(code, subject))) this.#emit(code, text, true, subject);
  }

  /** Reports an event, which has no end; not again while it only repeats itself. */
  event(code: NoticeCode, text: string, subject?: NoticeSubject): void {
    const key = keyOf(code, subject);
    if (this.#lastEvents.get(key) === text) return;
    this.#lastEvents.set(key, text);
    this.#emit(code, text, false, subject);
  }

  #emit(code: NoticeCode, text: string, isOver: boolean, subject: NoticeSubject | undefined): void {
    emitNotice({ code, text: this.#redact(text), isOver, ...this.#subject, ...subject });
  }
}

function keyOf(code: NoticeCode, { topic, partition, handler, broker }: NoticeSubject = {}): string {
  return JSON.stringify([code, topic, partition, handler, broker]);
}
