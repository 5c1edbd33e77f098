import { compareDecimals, padded } from "./decimal";
import type { Bar } from "./feed/protocol";

/** A bar whose trades were all cancelled, or count for volume alone, has no prices, which is told as 0. */
export function hasNoPrice(bar: Bar): boolean {
  return bar.open === "0";
}

/** Which way the price went within the bar; none where it has no prices. */
export function direction(bar: Bar): "up" | "down" | null {
  if (hasNoPrice(bar)) return null;
  return compareDecimals(bar.close, bar.open) >= 0 ? "up" : "down";
}

/** One of a bar's prices, to so many places. */
export function priceText(bar: Bar, name: "open" | "high" | "low" | "close", digits: number): string {
  return hasNoPrice(bar) ? "–" : padded(bar[name], digits);
}

/** The close of the newest bar that has prices. */
export function lastClose(bars: readonly Bar[]): string | undefined {
  return bars.findLast((bar) => !hasNoPrice(bar))?.close;
}
