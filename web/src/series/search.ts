import type { Bar } from "../feed/protocol";
import { compareTimes } from "../time";

/** Where among bars, oldest first, the first one is that starts then or later; their number where none does. */
export function placeOf(bars: readonly Bar[], start_ns: string): number {
  let [low, high] = [0, bars.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const bar = bars[middle];
    if (bar && compareTimes(bar.start_ns, start_ns) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The bar that starts then. */
export function barAt(bars: readonly Bar[], start_ns: string): Bar | undefined {
  const bar = bars[placeOf(bars, start_ns)];
  return bar?.start_ns === start_ns ? bar : undefined;
}
