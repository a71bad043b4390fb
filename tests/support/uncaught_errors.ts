/**
 * Collects uncaught errors, as which the errors of a program's callbacks are reported.
 *
 * @module
 */

/** Collects uncaught errors until it is disposed of, and keeps them from ending the test. */
export class UncaughtErrors implements Disposable {
  /** Their messages. */
  readonly texts: string[] = [];
  readonly #listener = (event: ErrorEvent) => {
    event.preventDefault();
    this.texts.push(event.message);
  };

  constructor() {
    addEventListener("error", this.#listener);
  }

  [Symbol.dispose](): void {
    removeEventListener("error", this.#listener);
  }
}
