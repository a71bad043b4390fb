/**
 * A schema registry did not answer, or refused a request.
 *
 * The error carries nothing of the request, whose headers hold the credentials.
 */
export class SchemaRegistryError extends Error {
  /** The class's name. */
  override readonly name = "SchemaRegistryError";
  /** The HTTP status of the answer; absent if there was no answer. */
  readonly status?: number;
  /** The registry's own code, such as 40401 for a subject that it does not have; absent if it gave none. */
  readonly code?: number;

  /** Made by the codecs of a `SchemaRegistry`. */
  constructor(message: string, { status, code }: { readonly status?: number; readonly code?: number } = {}) {
    super(message);
    if (status !== undefined) this.status = status;
    if (code !== undefined) this.code = code;
  }
}

/** Strips the request from an error of the package. Returns other errors as they are. */
export function withoutRequest(registry: string, error: unknown): unknown {
  const { message, status, errorCode, isAxiosError, request, config } = error as Record<string, never> & Error;
  if (isAxiosError || request !== undefined || config !== undefined) {
    return new SchemaRegistryError(`${registry}: ${message}`, status === undefined ? {} : { status });
  }
  if (errorCode !== undefined) {
    return new SchemaRegistryError(`${registry}: ${message}`, { status: status!, code: errorCode });
  }
  return error;
}
