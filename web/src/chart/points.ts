import type {
  CandlestickData,
  HistogramData,
  LineData,
  SeriesMarker,
  UTCTimestamp,
  WhitespaceData,
} from "lightweight-charts";

import { forDrawing, places } from "../decimal";
import type { Bar } from "../feed/protocol";
import { seconds } from "../time";
import type { Theme } from "./theme";

/** Bars as what the chart draws. All amounts become numbers here, and are read from nowhere else than the bars. */

export function time(bar: Bar): UTCTimestamp {
  return seconds(bar.start_ns) as UTCTimestamp;
}

export function candle(bar: Bar, theme: Theme): CandlestickData<UTCTimestamp> {
  const [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(forDrawing) as [
    number,
    number,
    number,
    number,
  ];
  const drawn = { time: time(bar), open, high, low, close };
  return bar.state === "forming" ? { ...drawn, color: theme.hollow } : drawn; // a forming candle is hollow
}

export function volume(bar: Bar, theme: Theme): HistogramData<UTCTimestamp> {
  const rises = forDrawing(bar.close) >= forDrawing(bar.open);
  return { time: time(bar), value: forDrawing(bar.volume), color: rises ? theme.upVolume : theme.downVolume };
}

/** A bar without volume has no VWAP. */
export function vwap(bar: Bar): LineData<UTCTimestamp> | WhitespaceData<UTCTimestamp> {
  return bar.vwap === null ? { time: time(bar) } : { time: time(bar), value: forDrawing(bar.vwap) };
}

export function marker(bar: Bar, theme: Theme): SeriesMarker<UTCTimestamp>[] {
  if (bar.state !== "revised") return [];
  return [{ time: time(bar), position: "aboveBar", shape: "circle", color: theme.revised, size: 0.5 }];
}

const MOST_PLACES = 8;

/** Decimal places of the price axis. */
export function precision(bars: readonly Bar[]): number {
  return Math.min(
    MOST_PLACES,
    Math.max(0, ...bars.slice(-100).flatMap((bar) => [places(bar.high), places(bar.low)])),
  );
}
