/**
 * Offsets as people say them.
 *
 * @module
 */

/** A place in a partition: its beginning, its end, or an offset (−2 is the beginning and −1 the end, as Kafka has it). */
export type Offset = "beginning" | "end" | number;
/** A place in every partition, or one for each by number. */
export type Offsets = Offset | { readonly [partition: number]: Offset };

/** Kafka's number for the beginning of a partition. */
export const BEGINNING = -2;
/** Kafka's number for its end. */
export const END = -1;

/**
 * The number for each partition that offsets name.
 *
 * @returns a function that answers for a partition; `undefined` where nothing was said
 * @throws {TypeError} If it is no offset.
 * @throws {RangeError} If a number is below −2 or not whole.
 */
export function parseOffsets(offsets: Offsets): (partition: number) => number | undefined {
  if (typeof offsets !== "object" || offsets === null) {
    const offset = parse(offsets, "offset");
    return () => offset;
  }
  const byPartition = new Map(
    Object.entries(offsets).map(([partition, offset]) => {
      if (!/^\d+$/.test(partition)) throw new TypeError(`A partition must be a number from 0 on: ${partition}`);
      return [Number(partition), parse(offset, `offset of partition ${partition}`)];
    }),
  );
  return (partition) => byPartition.get(partition);
}

function parse(offset: unknown, what: string): number {
  if (offset === "beginning") return BEGINNING;
  if (offset === "end") return END;
  const meant = offset === "earliest" || offset === "smallest"
    ? "beginning"
    : offset === "latest" || offset === "largest"
    ? "end"
    : undefined;
  if (meant !== undefined) {
    throw new TypeError(`The ${what} must be "beginning", "end" or a number: for "${offset}" give "${meant}"`);
  }
  if (typeof offset !== "number") {
    throw new TypeError(`The ${what} must be "beginning", "end" or a number: ${String(offset)}`);
  }
  if (!Number.isSafeInteger(offset) || offset < BEGINNING) {
    throw new RangeError(`The ${what} must be a whole number from -2 on (-2 is the beginning, -1 the end): ${offset}`);
  }
  return offset;
}
