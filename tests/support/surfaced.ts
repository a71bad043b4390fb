/**
 * Errors of a program's callbacks, which surface as those of the program.
 *
 * @module
 */

/** Catches them, as long as it is used. */
export class Surfaced implements Disposable {
  /** What they say. */
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
