/**
 * The topics of a `Topic`: one, several, or all that match a pattern.
 *
 * @module
 */

/** The name of a topic, the names of several, or a pattern: a RegExp or a string that begins with `^`. */
export type TopicNameInput = string | readonly string[] | RegExp;

const NAME = /^[a-zA-Z0-9._-]{1,249}$/;
/** Syntax of JavaScript that POSIX's extended regular expressions do not have, by which librdkafka and brokers match. */
const NOT_POSIX = /\\[a-zA-Z0-9]|\(\?|[*+?}]\?/;

/** Checked names of topics, or a checked pattern. */
export class TopicNames {
  /** How errors and notices begin: `Topic "emoji"`, `Topics "a", "b"`, `Topics /^orders-/`. */
  readonly where: string;
  /** The names alone: `emoji`, `a, b`, `^orders-`. */
  readonly text: string;
  /** What a consumer subscribes to. */
  readonly subscription: readonly string[];
  /** The name, if it is one name: only such a Topic can be written to. */
  readonly single: string | undefined;
  readonly #pattern: RegExp | undefined;

  /** @throws {TypeError} If a name is not allowed, or librdkafka would read the pattern in another way than JavaScript. */
  constructor(input: TopicNameInput) {
    const source = input instanceof RegExp ? input.source : input;
    if (input instanceof RegExp || (typeof source === "string" && source.startsWith("^"))) {
      this.#pattern = checkPattern(source as string, input instanceof RegExp ? input.flags : "");
      this.where = `Topics /${source}/`;
      this.text = source as string;
      this.subscription = [this.text];
      this.single = undefined;
      return;
    }
    const names = [...new Set(Array.isArray(source) ? source : [source])] as string[];
    if (names.length === 0) {
      throw new TypeError("A Topic must have a name, several names, or a pattern: the list of names is empty");
    }
    for (const name of names) checkName(name);
    this.where = `Topic${names.length > 1 ? "s" : ""} ${names.map((name) => JSON.stringify(name)).join(", ")}`;
    this.text = names.join(", ");
    this.subscription = names;
    this.single = names.length === 1 ? names[0] : undefined;
    this.#pattern = undefined;
  }

  /** Whether a topic is among the names, or matches the pattern. */
  include(topic: string): boolean {
    return this.#pattern === undefined ? this.subscription.includes(topic) : this.#pattern.test(topic);
  }

  /** The names that none of the found topics has; always empty for a pattern. */
  missing(found: readonly { readonly topic: string }[]): string[] {
    if (this.#pattern !== undefined) return [];
    const topics = new Set(found.map(({ topic }) => topic));
    return this.subscription.filter((name) => !topics.has(name));
  }

  /** Whether this is a pattern, which may match topics that are created later. */
  get isPattern(): boolean {
    return this.#pattern !== undefined;
  }
}

function checkName(name: unknown): void {
  if (typeof name !== "string" || !NAME.test(name) || name === "." || name === "..") {
    throw new TypeError(
      `A topic's name must be 1 to 249 letters, digits, ".", "_" and "-", and not "." or "..": ${JSON.stringify(name)}`,
    );
  }
}

function checkPattern(source: string, flags: string): RegExp {
  const problem = flags !== ""
    ? `must have no flags (${flags})`
    : !source.startsWith("^")
    ? 'must begin with "^"'
    : NOT_POSIX.test(source)
    ? "must be a POSIX extended regular expression, without \\d, \\w, \\b, (?…) and lazy quantifiers (write [0-9] for \\d)"
    : undefined;
  if (problem !== undefined) throw new TypeError(`A pattern of topics ${problem}: /${source}/${flags}`);
  try {
    return new RegExp(source);
  } catch (error) {
    throw new TypeError(`A pattern of topics must be a regular expression: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
