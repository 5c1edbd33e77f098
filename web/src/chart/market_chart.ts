import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  CrosshairMode,
  HistogramSeries,
  LineSeries,
  LineStyle,
  type IChartApi,
  type IPriceLine,
  type IRange,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type Time,
} from "lightweight-charts";

import { forDrawing } from "../decimal";
import type { Bar } from "../feed/protocol";
import { hasAllPrices, lastClose } from "../prices";
import { barAt } from "../series/search";
import { candle, colour, hasBlank, markers, precision, PriceLabels, time, volume, vwap } from "./points";
import type { Theme } from "./theme";

/** Bars left of the screen below which older ones are asked for. */
const NEAR_OLDEST = 60;
/** More changed bars than so many are drawn with all others at once, which is quicker then. */
const MOST_ONE_BY_ONE = 50;
const VOLUME_SHARE = 0.22;
const USUAL_BAR_PX = 8;
const LEAST_BAR_PX = 1;
const ZOOM = 1.25;

export interface ChartListener {
  /** The cross-hair is on the bar that starts at this second, or on none. */
  pointed(second: number | null): void;
  /** The oldest bar drawn is near the left edge. */
  olderWanted(): void;
  /** So many of the newest bars are on the screen or near it; Infinity where the newest one is not on it. */
  barsNeeded(count: number): void;
}

/** Candles with VWAP, volume beneath. */
export class MarketChart {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly vwaps: ISeriesApi<"Line">;
  private readonly volumes: ISeriesApi<"Histogram">;
  private readonly markers: ISeriesMarkersPluginApi<Time>;
  private readonly labels = new PriceLabels();
  private provisional: IPriceLine | null = null;
  private drawn: readonly Bar[] = [];
  private closeLine = "";
  /** Where the chart scrolls to with the next frame: until then it only tells where it was. */
  private scrollsTo: number | null = null;

  constructor(
    place: HTMLElement,
    private theme: Theme,
    private readonly listener: ChartListener,
  ) {
    this.chart = createChart(place, {
      autoSize: true,
      crosshair: { mode: CrosshairMode.Normal },
      handleScroll: { vertTouchDrag: false }, // a phone's page is scrolled so, which the chart fills almost
      rightPriceScale: { minimumWidth: 72 },
      timeScale: { timeVisible: true, rightOffset: 6, minBarSpacing: LEAST_BAR_PX },
    });
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
    this.chart.timeScale().subscribeVisibleLogicalRangeChange(() => {
      this.tellRange();
    });
  }

  /** Draw these bars, oldest first; the place one looks at stays where it is. */
  show(bars: readonly Bar[]): void {
    const before = this.drawn;
    const changed = changes(before, bars);
    const position = this.positionBehind(before, bars);
    this.drawn = bars;
    this.labels.tell("close", lastClose(bars));
    this.setPrecision(precision(bars));
    if (changed) {
      for (const bar of changed) this.draw(bar, before.at(-1));
      if (changed.some((bar) => this.isMarked(bar) || this.isMarked(barAt(before, bar.start_ns))))
        this.mark();
    } else {
      this.drawAll();
    }
    this.colourCloseLine();
    if (position !== null) this.scrollTo(position);
    if (!changed) this.tellRange(); // one who looks past the oldest bar gets older ones without scrolling again
  }

  /** Draw the price of a trade that no bar has yet, beside the newest bar's own; null takes it away. */
  showProvisional(price: string | null): void {
    this.labels.tell("provisional", price ?? undefined);
    const hasOwn = price === null;
    this.candles.applyOptions({ priceLineVisible: hasOwn, lastValueVisible: hasOwn });
    if (price === null) {
      if (this.provisional) this.candles.removePriceLine(this.provisional);
      this.provisional = null;
      return;
    }
    const line = { price: forDrawing(price), color: this.theme.provisional, axisLabelTextColor: "#ffffff" };
    if (this.provisional) this.provisional.applyOptions(line);
    else
      this.provisional = this.candles.createPriceLine({ ...line, lineWidth: 1, lineStyle: LineStyle.Dotted });
  }

  /** Show the newest bars, at the usual zoom. */
  toNewest(): void {
    const scale = this.chart.timeScale();
    scale.applyOptions({ barSpacing: USUAL_BAR_PX });
    this.scrollTo(scale.options().rightOffset);
    this.candles.priceScale().applyOptions({ autoScale: true });
  }

  /** Move by so many bars, to the newer ones where positive. */
  scroll(bars: number): void {
    this.scrollTo(this.position + bars);
  }

  /** Move by so many screens, to the newer ones where positive. */
  scrollScreens(screens: number): void {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (range) this.scroll(screens * (range.to - range.from));
  }

  /** Make bars wider by so many steps, narrower where negative. */
  zoom(steps: number): void {
    const scale = this.chart.timeScale();
    scale.applyOptions({ barSpacing: Math.max(LEAST_BAR_PX, scale.options().barSpacing * ZOOM ** steps) });
  }

  /** Tell seconds on the time axis; an axis of longer bars has none to tell. */
  setSecondsVisible(areVisible: boolean): void {
    this.chart.timeScale().applyOptions({ secondsVisible: areVisible });
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
      rightPriceScale: { borderColor: theme.border },
      timeScale: { borderColor: theme.border },
    });
    this.vwaps.applyOptions({ color: theme.vwap });
    this.provisional?.applyOptions({ color: theme.provisional });
    this.colourCloseLine();
    this.drawAll();
  }

  remove(): void {
    this.chart.remove();
  }

  private tellRange(): void {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (!range || this.drawn.length === 0) return;
    if (range.from < NEAR_OLDEST) this.listener.olderWanted();
    this.listener.barsNeeded(needed(range, this.drawn.length));
  }

  /**
   * Where the chart has to be scrolled to when these bars are drawn, so that one who scrolled the newest bar away goes
   * on seeing the same; null where nothing is to be done. The library does it for a new bar or two, and not for more
   * of them than there are bars left of the right edge, nor where older ones come as well.
   */
  private positionBehind(before: readonly Bar[], bars: readonly Bar[]): number | null {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    const newer = appended(before, bars);
    const isNewestShown = !range || Math.ceil(range.to) >= before.length - 1;
    return isNewestShown || !newer ? null : this.position - newer;
  }

  private get position(): number {
    return this.scrollsTo ?? this.chart.timeScale().scrollPosition();
  }

  private scrollTo(position: number): void {
    this.scrollsTo = position;
    this.chart.timeScale().scrollToPosition(position, false);
    requestAnimationFrame(() => {
      this.scrollsTo = null;
    });
  }

  private drawAll(): void {
    this.candles.setData(this.drawn.map((bar) => candle(bar, this.theme)));
    this.vwaps.setData(this.drawn.map(vwap));
    this.volumes.setData(this.drawn.map((bar) => volume(bar, this.theme)));
    this.mark();
  }

  /** Draw a bar that is new, or in the place of an older version; `newest` is the newest one drawn before the change. */
  private draw(bar: Bar, newest: Bar | undefined): void {
    const isHistorical = newest !== undefined && time(bar) < time(newest);
    this.candles.update(candle(bar, this.theme), isHistorical);
    this.vwaps.update(vwap(bar), isHistorical);
    this.volumes.update(volume(bar, this.theme), isHistorical);
  }

  /** Of its own accord the line at the close has the colour that fills the candle: a hollow one's is the background's. */
  private colourCloseLine(): void {
    const newest = this.drawn.findLast(hasAllPrices);
    if (!newest || this.closeLine === colour(newest, this.theme)) return;
    this.closeLine = colour(newest, this.theme);
    this.candles.applyOptions({ priceLineColor: this.closeLine });
  }

  private isMarked(bar: Bar | undefined): boolean {
    return bar !== undefined && markers(bar, this.theme).length > 0;
  }

  private mark(): void {
    this.markers.setMarkers(this.drawn.flatMap((bar) => markers(bar, this.theme)));
  }

  private setPrecision(digits: number): void {
    if (digits === this.labels.digits) return;
    this.labels.digits = digits;
    const priceFormat = {
      type: "custom" as const,
      minMove: 10 ** -digits,
      formatter: (price: number) => this.labels.of(price),
    };
    this.candles.applyOptions({ priceFormat });
    this.vwaps.applyOptions({ priceFormat });
  }
}

/**
 * The bars that differ where the rest can stay as drawn; null where all must be drawn anew. That is so for an older bar
 * without a price or a VWAP as well, then or now: the library keeps no place for it, and would draw over its neighbour.
 */
export function changes(drawn: readonly Bar[], bars: readonly Bar[]): Bar[] | null {
  if (drawn.length === 0 || bars.length < drawn.length) return null;
  const changed: Bar[] = [];
  for (let i = 0; i < bars.length; i += 1) {
    const [before, bar] = [drawn[i], bars[i]];
    if (!bar || bar === before) continue;
    if (before && before.start_ns !== bar.start_ns) return null;
    if (before && i < drawn.length - 1 && (hasBlank(before) || hasBlank(bar))) return null;
    if (changed.push(bar) > MOST_ONE_BY_ONE) return null;
  }
  return changed;
}

/** How many bars are newer than all that are drawn; null where the newest one drawn is not among them. */
export function appended(drawn: readonly Bar[], bars: readonly Bar[]): number | null {
  const newest = drawn.at(-1)?.start_ns;
  const place = bars.findLastIndex((bar) => bar.start_ns === newest);
  return place < 0 ? null : bars.length - 1 - place;
}

/** How many of so many bars, from the newest, are in a range of the screen or near it; Infinity where it ends before. */
export function needed({ from, to }: IRange<number>, count: number): number {
  return to < count - 1 ? Infinity : count - Math.floor(from) + NEAR_OLDEST;
}
