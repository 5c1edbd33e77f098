import type {
  CandlestickData,
  HistogramData,
  LineData,
  SeriesMarker,
  UTCTimestamp,
  WhitespaceData,
} from "lightweight-charts";

import { forDrawing, leadingZeros, padded, places } from "../decimal";
import type { Bar } from "../feed/protocol";
import { isIncomplete } from "../missing";
import { direction, hasAllPrices, isThere } from "../prices";
import { seconds } from "../time";
import type { Theme } from "./theme";

/**
 * Bars as what the chart draws. Amounts become numbers here, since a chart library places points by double: a pixel is
 * coarser than a double by far. What is read as text is the bar's own text, never such a number.
 */

export function time(bar: Bar): UTCTimestamp {
  return seconds(bar.start_ns) as UTCTimestamp;
}

/** Whether something of a bar is not drawn. */
export function hasBlank(bar: Bar): boolean {
  return !hasAllPrices(bar) || bar.vwap === null;
}

/** The colour of a bar, by its exact prices: the library knows doubles only, which may be equal. */
export function colour(bar: Bar, theme: Theme): string {
  return direction(bar) === "down" ? theme.down : theme.up;
}

/** A candle is hollow while it forms. */
export function candle(bar: Bar, theme: Theme): CandlestickData<UTCTimestamp> | WhitespaceData<UTCTimestamp> {
  if (!hasAllPrices(bar)) return { time: time(bar) };
  const [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(forDrawing) as [
    number,
    number,
    number,
    number,
  ];
  const line = colour(bar, theme);
  const color = bar.state === "forming" ? theme.hollow : line;
  return { time: time(bar), open, high, low, close, color, borderColor: line, wickColor: line };
}

export function volume(bar: Bar, theme: Theme): HistogramData<UTCTimestamp> {
  const color = direction(bar) === "down" ? theme.downVolume : theme.upVolume;
  return { time: time(bar), value: forDrawing(bar.volume), color };
}

/** A bar without volume has no VWAP. */
export function vwap(bar: Bar): LineData<UTCTimestamp> | WhitespaceData<UTCTimestamp> {
  return bar.vwap === null ? { time: time(bar) } : { time: time(bar), value: forDrawing(bar.vwap) };
}

/** A dot above a revised bar, and a square below one that is known to lack trades. */
export function markers(bar: Bar, theme: Theme): SeriesMarker<UTCTimestamp>[] {
  const marks: SeriesMarker<UTCTimestamp>[] = [];
  if (bar.state === "revised")
    marks.push({ time: time(bar), position: "aboveBar", shape: "circle", color: theme.revised, size: 0.5 });
  if (isIncomplete(bar))
    marks.push({ time: time(bar), position: "belowBar", shape: "square", color: theme.missing, size: 0.5 });
  return marks;
}

const USUAL_PLACES = 8;
/** Of the price, as many as tell it apart from its neighbours on the axis. */
const LEAST_DIGITS = 5;
/** The library takes steps of the axis that differ by 1e-14 for the same. */
const MOST_PLACES = 12;

/** Decimal places of the price axis: those of the prices, within reason. */
export function precision(bars: readonly Bar[]): number {
  const newest = bars.slice(-100);
  const low = newest.findLast((bar) => isThere(bar.low))?.low ?? "0";
  const most = Math.min(MOST_PLACES, Math.max(USUAL_PLACES, leadingZeros(low) + LEAST_DIGITS));
  return Math.min(most, Math.max(0, ...newest.flatMap((bar) => [places(bar.high), places(bar.low)])));
}

/** Labels of the price axis. One that stands at a price that was told has that price's own digits, not a double's. */
export class PriceLabels {
  digits = 0;
  private readonly told = new Map<string, string>();

  /** The price that has this name, or that nothing has it now. */
  tell(name: string, price: string | undefined): void {
    if (price === undefined) this.told.delete(name);
    else this.told.set(name, price);
  }

  /** The label at a height of the axis. */
  of(height: number): string {
    const exact = [...this.told.values()].find((price) => forDrawing(price) === height);
    return exact === undefined ? height.toFixed(this.digits) : padded(exact, this.digits);
  }
}
