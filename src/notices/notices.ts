/**
 * Word of trouble that passes: said once, on stderr.
 *
 * @module
 */

/** Says each thing once, until it is over. */
export class Notices {
  readonly #said = new Set<string>();
  readonly #clean: (text: string) => string;

  /** @param clean takes secrets out of a text */
  constructor(clean: (text: string) => string) {
    this.#clean = clean;
  }

  /** Says something, unless the same trouble was said and is not over. */
  once(trouble: string, text: string): void {
    if (this.#said.has(trouble)) return;
    this.#said.add(trouble);
    console.warn(`slipstream: ${this.#clean(text)}`);
  }

  /** The trouble is over; says so if it was said. */
  over(trouble: string, text: string): void {
    if (this.#said.delete(trouble)) console.warn(`slipstream: ${this.#clean(text)}`);
  }
}
