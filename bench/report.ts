/**
 * What came out, as a table.
 *
 * @module
 */

/** Messages a second, in the order of the rounds. */
export interface Result {
  /** What was measured: `"consume, bytes"`. */
  readonly claim: string;
  /** The ratio that slipstream wants to reach. */
  readonly reach: number | undefined;
  /** Of the C program. */
  readonly c: readonly number[];
  /** Of slipstream. */
  readonly ours: readonly number[];
}

/** The table: rates as medians; the ratio is that of the medians, its range that of the rounds. */
export function table(results: readonly Result[]): string {
  const rows = [["claim", "C median", "ours median", "ratio", "min–max", "reach"]];
  for (const { claim, reach, c, ours } of results) {
    const ratios = ours.map((rate, round) => rate / c[round]!);
    const ratio = median(ours) / median(c);
    rows.push([
      claim,
      rateText(median(c)),
      rateText(median(ours)),
      ratio.toFixed(2),
      `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`,
      reach === undefined ? "" : `${reach.toFixed(2)} ${ratio >= reach ? "reached" : "missed"}`,
    ]);
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`);
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return lines.join("\n");
}

/** Messages a second, for people. */
export function rateText(rate: number): string {
  return `${Math.round(rate).toLocaleString("en")}/s`;
}

/** The middle one. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A ratio, for people. */
export function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(0)} %`;
}
