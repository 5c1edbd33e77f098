import { compareDecimals, padded } from "./decimal";
import type { Bar } from "./feed/protocol";

type Price = "open" | "high" | "low" | "close";

/** Where no trade of a bar counts for a price, or all were cancelled, there is none, which is told as 0. */
export function isThere(price: string): boolean {
  return price !== "0";
}

/** Whether a bar has all four prices: trades may count for open and close alone, or for high and low. */
export function hasAllPrices(bar: Bar): boolean {
  return [bar.open, bar.high, bar.low, bar.close].every(isThere);
}

/** Which way the price went within the bar; none where it has no open and close. */
export function direction(bar: Bar): "up" | "down" | null {
  if (!isThere(bar.open)) return null;
  return compareDecimals(bar.close, bar.open) >= 0 ? "up" : "down";
}

/** One of a bar's prices, to so many places. */
export function priceText(bar: Bar, name: Price, digits: number): string {
  return isThere(bar[name]) ? padded(bar[name], digits) : "–";
}

/** The close of the newest bar that has one. */
export function lastClose(bars: readonly Bar[]): string | undefined {
  return bars.findLast((bar) => isThere(bar.close))?.close;
}
