/**
 * Which topics a Topic is about.
 *
 * @module
 */

/**
 * A topic's name, several names, or an expression that names match: a RegExp that begins with `^`, or a string that
 * does.
 */
export type TopicNameInput = string | readonly string[] | RegExp;

const NAME = /^[a-zA-Z0-9._-]{1,249}$/;
/** What JavaScript's expressions have, and POSIX's extended ones, which librdkafka and brokers match by, do not. */
const NOT_POSIX = /\\[a-zA-Z0-9]|\(\?|[*+?}]\?/;

/** Names that were checked. */
export class TopicNames {
  /** For people: `Topic "emoji"`, `Topics "a", "b"`, `Topics /^orders-/`. */
  readonly where: string;
  /** In short: `emoji`, `a, b`, `^orders-`. */
  readonly text: string;
  /** What a consumer subscribes to. */
  readonly subscription: readonly string[];
  /** The name, when it is one; only such can be written to. */
  readonly single: string | undefined;
  readonly #pattern: RegExp | undefined;

  /** @throws {TypeError} If a name is wrong, or an expression one that librdkafka would read otherwise. */
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
      throw new TypeError("A Topic needs a name, or several, or an expression: got an empty list");
    }
    for (const name of names) checkName(name);
    this.where = `Topic${names.length > 1 ? "s" : ""} ${names.map((name) => JSON.stringify(name)).join(", ")}`;
    this.text = names.join(", ");
    this.subscription = names;
    this.single = names.length === 1 ? names[0] : undefined;
    this.#pattern = undefined;
  }

  /** Whether a topic is one of them. */
  include(topic: string): boolean {
    return this.#pattern === undefined ? this.subscription.includes(topic) : this.#pattern.test(topic);
  }

  /** The names that are of none of the topics; an expression misses none. */
  missing(found: readonly { readonly topic: string }[]): string[] {
    if (this.#pattern !== undefined) return [];
    const topics = new Set(found.map(({ topic }) => topic));
    return this.subscription.filter((name) => !topics.has(name));
  }

  /** Whether the names are all there are, or an expression finds them. */
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
  const wrong = flags !== ""
    ? `it can't have flags (${flags})`
    : !source.startsWith("^")
    ? 'it must begin with "^"'
    : NOT_POSIX.test(source)
    ? "it is matched as POSIX's extended ones are, without \\d, \\w, \\b, (?…) and lazy quantifiers: write [0-9] and the like"
    : undefined;
  if (wrong !== undefined) throw new TypeError(`An expression for topics: ${wrong}: /${source}/${flags}`);
  try {
    return new RegExp(source);
  } catch (error) {
    throw new TypeError(`An expression for topics: ${(error as Error).message}`, { cause: error });
  }
}
