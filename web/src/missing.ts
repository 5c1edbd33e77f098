import { grouped } from "./decimal";
import type { Bar } from "./feed/protocol";

/** What `missing` counts. */
export const MISSING =
  "Trades of this time that were never heard of, by the venue's ids; unknown where it has none that tell";

/** Whether trades are known to be missing: that none are known does not mean that the bar is whole. */
export function isIncomplete({ missing }: Bar): boolean {
  return missing !== null && missing > 0;
}

export function missingText({ missing }: Bar): string {
  return missing === null ? "unknown" : grouped(missing);
}
