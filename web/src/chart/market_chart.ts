import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  CrosshairMode,
  HistogramSeries,
  LineSeries,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type Time,
} from "lightweight-charts";

import type { Bar } from "../feed/protocol";
import { candle, marker, precision, time, volume, vwap } from "./points";
import type { Theme } from "./theme";

/** Bars left of the screen below which older ones are asked for. */
const NEAR_OLDEST = 60;
const VOLUME_SHARE = 0.22;

export interface ChartListener {
  /** The cross-hair is on the bar that starts at this second, or on none. */
  pointed(second: number | null): void;
  /** The oldest bar drawn is near the left edge. */
  olderWanted(): void;
}

/** Candles with VWAP, volume beneath. */
export class MarketChart {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly vwaps: ISeriesApi<"Line">;
  private readonly volumes: ISeriesApi<"Histogram">;
  private readonly markers: ISeriesMarkersPluginApi<Time>;
  private drawn: readonly Bar[] = [];
  private precision = -1;

  constructor(
    place: HTMLElement,
    private theme: Theme,
    private readonly listener: ChartListener,
  ) {
    this.chart = createChart(place, { autoSize: true });
    this.candles = this.chart.addSeries(CandlestickSeries);
    this.vwaps = this.chart.addSeries(LineSeries, {
      lineWidth: 1,
      priceLineVisible: false,
      lastValueVisible: false,
      crosshairMarkerVisible: false,
    });
    this.volumes = this.chart.addSeries(HistogramSeries, {
      priceFormat: { type: "volume" },
      priceScaleId: "volume",
      priceLineVisible: false,
      lastValueVisible: false,
    });
    this.volumes.priceScale().applyOptions({ scaleMargins: { top: 1 - VOLUME_SHARE, bottom: 0 } });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: VOLUME_SHARE + 0.04 } });
    this.markers = createSeriesMarkers(this.candles, []);
    this.setTheme(theme);
    this.chart.subscribeCrosshairMove(({ time }) => {
      this.listener.pointed(typeof time === "number" ? time : null);
    });
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < NEAR_OLDEST && this.drawn.length > 0) this.listener.olderWanted();
    });
  }

  /** Draw these bars, oldest first; the place one looks at stays where it is. */
  show(bars: readonly Bar[]): void {
    const changed = changes(this.drawn, bars);
    this.drawn = bars;
    this.setPrecision(precision(bars));
    if (changed)
      changed.forEach((bar) => {
        this.update(bar);
      });
    else this.drawAll();
    this.markers.setMarkers(bars.flatMap((bar) => marker(bar, this.theme)));
  }

  /** Show the newest bars, at the usual zoom. */
  toNewest(): void {
    this.chart.timeScale().applyOptions({ barSpacing: 8 });
    this.chart.timeScale().scrollToRealTime();
    this.candles.priceScale().applyOptions({ autoScale: true });
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    this.chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: theme.background },
        textColor: theme.text,
        fontSize: 11,
        attributionLogo: true, // the library's licence asks for it
      },
      grid: { vertLines: { color: theme.grid }, horzLines: { color: theme.grid } },
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { borderColor: theme.border, minimumWidth: 72 },
      timeScale: {
        borderColor: theme.border,
        timeVisible: true,
        secondsVisible: true,
        rightOffset: 6,
        minBarSpacing: 1,
      },
    });
    this.candles.applyOptions({
      upColor: theme.up,
      downColor: theme.down,
      borderUpColor: theme.up,
      borderDownColor: theme.down,
      wickUpColor: theme.up,
      wickDownColor: theme.down,
    });
    this.vwaps.applyOptions({ color: theme.vwap });
    this.drawAll();
  }

  remove(): void {
    this.chart.remove();
  }

  private drawAll(): void {
    this.candles.setData(this.drawn.map((bar) => candle(bar, this.theme)));
    this.vwaps.setData(this.drawn.map(vwap));
    this.volumes.setData(this.drawn.map((bar) => volume(bar, this.theme)));
  }

  private update(bar: Bar): void {
    const newest = this.drawn.at(-1);
    const historical = newest !== undefined && time(bar) < time(newest);
    this.candles.update(candle(bar, this.theme), historical);
    this.vwaps.update(vwap(bar), historical);
    this.volumes.update(volume(bar, this.theme), historical);
  }

  private setPrecision(digits: number): void {
    if (digits === this.precision) return;
    this.precision = digits;
    const priceFormat = { type: "price" as const, precision: digits, minMove: 10 ** -digits };
    this.candles.applyOptions({ priceFormat });
    this.vwaps.applyOptions({ priceFormat });
  }
}

/** The bars that differ where the rest can stay as drawn; null where all must be drawn anew. */
export function changes(drawn: readonly Bar[], bars: readonly Bar[]): Bar[] | null {
  const grows = bars.length - drawn.length;
  if (drawn.length === 0 || grows < 0 || grows > 50) return null;
  if (drawn.some((bar, i) => bar.start_ns !== bars[i]?.start_ns)) return null;
  return bars.filter((bar, i) => bar !== drawn[i]);
}
