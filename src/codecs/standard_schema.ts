/**
 * The interface by which libraries of schemas check values: Standard Schema, version 1 (https://standardschema.dev).
 *
 * It is declared here, so that a program without schemas fetches no package. TypeScript compares interfaces by their
 * members: a schema of zod, valibot or arktype fits as it is.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";

/**
 * A schema of any library that implements Standard Schema, version 1, such as zod, valibot and arktype.
 *
 * @typeParam Output the type of the values that `validate` returns, after the schema's transforms
 */
export interface StandardSchema<Output = unknown> {
  /** What the library provides. */
  readonly "~standard": {
    /** The version of the interface. */
    readonly version: 1;
    /** The name of the library, such as `"zod"`. */
    readonly vendor: string;
    /** Checks a value. Returns a promise if the schema is asynchronous. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
  };
}

/**
 * What `validate` of a `StandardSchema` returns: the value, or the issues of a value that doesn't fit.
 *
 * @typeParam Output the type of the value
 */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** One reason why a value doesn't fit a schema. */
export interface SchemaIssue {
  /** The library's text. */
  readonly message: string;
  /** The property keys from the value to the part that doesn't fit; absent or empty for the value itself. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * A value doesn't fit a schema. The message lists all issues with their paths.
 *
 * A `Topic` rethrows it as the `cause` of its own error, which names the message. So a function as `onError` of
 * `handle()`, which receives a `HandlerError`, finds it at `error.cause.cause`.
 *
 * @example
 * ```ts
 * import { SchemaError } from "@slipstream/slipstream/codecs";
 *
 * const error = new SchemaError([{ message: "expected a number", path: ["orders", 0, "price"] }]);
 * console.assert(error.message === "the value doesn't fit the schema: orders[0].price: expected a number");
 * ```
 */
export class SchemaError extends TypeError {
  /** The class's name. */
  override readonly name = "SchemaError";
  /** All reasons why the value doesn't fit, in the order in which the schema reports them. */
  readonly issues: readonly SchemaIssue[];

  /** Composes the message from the issues. */
  constructor(issues: readonly SchemaIssue[]) {
    super(`the value doesn't fit the schema: ${issues.map(issueText).join("; ")}`);
    this.issues = issues;
  }
}

/**
 * Refuses what is not a Standard Schema.
 *
 * @throws {TypeError} If it is not one.
 */
export function checkSchema(schema: unknown): asserts schema is StandardSchema {
  // arktype's schemas are functions.
  const standard = (schema as Partial<StandardSchema> | null)?.["~standard"];
  if (standard?.version === 1 && typeof standard.validate === "function") return;
  throw new TypeError(
    `json() takes a Standard Schema of version 1 (https://standardschema.dev), such as one of zod, valibot or arktype: ` +
      `got ${standard === undefined ? describeValue(schema) : `version ${String(standard.version)}`}`,
  );
}

/**
 * Checks a value, and returns what the schema makes of it; a promise if the schema is asynchronous.
 *
 * @throws {SchemaError} If the value doesn't fit.
 */
export function validated<T>(schema: StandardSchema<T>, value: unknown): T | Promise<T> {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then(valueOf) : valueOf(result);
}

function valueOf<T>(result: SchemaResult<T>): T {
  if (result.issues !== undefined) throw new SchemaError(result.issues);
  return result.value;
}

function issueText({ message, path = [] }: SchemaIssue): string {
  const at = path.map((part) => keyText(typeof part === "object" ? part.key : part)).join("").replace(/^\./, "");
  return at === "" ? message : `${at}: ${message}`;
}

function keyText(key: PropertyKey): string {
  if (typeof key === "symbol") return `[${String(key)}]`;
  if (typeof key === "string" && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)) return `.${key}`;
  return `[${JSON.stringify(key)}]`;
}
