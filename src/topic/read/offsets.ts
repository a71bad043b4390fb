/**
 * Offsets as users write them.
 *
 * @module
 */

/** An offset of a partition, its beginning, or its end. As in Kafka, −2 is the beginning too, and −1 the end. */
export type Offset = "beginning" | "end" | number;
/** One offset for every partition, or an offset by partition number; partitions that are not named are left as they are. */
export type Offsets = Offset | { readonly [partition: number]: Offset };

/** Kafka's number for the beginning of a partition. */
export const BEGINNING = -2;
/** Kafka's number for the end of a partition. */
export const END = -1;

/**
 * Parses offsets into numbers; beginning and end become `BEGINNING` and `END`.
 *
 * @returns a function that returns the offset for a partition, or `undefined` for a partition that is not named
 * @throws {TypeError} If an offset is neither "beginning", "end" nor a number, or a partition is not a number from 0.
 * @throws {RangeError} If a number is below −2 or not whole.
 */
export function parseOffsets(offsets: Offsets): (partition: number) => number | undefined {
  if (typeof offsets !== "object" || offsets === null) {
    const offset = parseOffset(offsets, "offset");
    return () => offset;
  }
  const byPartition = new Map(
    Object.entries(offsets).map(([partition, offset]) => {
      if (!/^\d+$/.test(partition)) throw new TypeError(`A partition must be a number from 0 on: ${partition}`);
      return [Number(partition), parseOffset(offset, `offset of partition ${partition}`)];
    }),
  );
  return (partition) => byPartition.get(partition);
}

/** What other clients and `auto.offset.reset` call the beginning and the end. */
const SYNONYMS: ReadonlyMap<unknown, string> = new Map([
  ["earliest", "beginning"],
  ["smallest", "beginning"],
  ["latest", "end"],
  ["largest", "end"],
]);

function parseOffset(offset: unknown, what: string): number {
  if (offset === "beginning") return BEGINNING;
  if (offset === "end") return END;
  if (typeof offset !== "number") {
    const meant = SYNONYMS.get(offset);
    throw new TypeError(
      `The ${what} must be "beginning", "end" or a number: ${
        meant === undefined ? String(offset) : `for "${offset}" give "${meant}"`
      }`,
    );
  }
  if (!Number.isSafeInteger(offset) || offset < BEGINNING) {
    throw new RangeError(`The ${what} must be a whole number from -2 on (-2 is the beginning, -1 the end): ${offset}`);
  }
  return offset;
}
