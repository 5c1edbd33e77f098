import { fetchBars, PAGE_BARS, type TimeRange } from "../feed/history";
import type { Bar, SeriesKey } from "../feed/protocol";
import { merge, put, remaining } from "../series/merge";
import { placeOf } from "../series/search";
import { compareTimes } from "../time";
import { EarlyUpdates } from "./early";

/** So many of the newest bars are kept, also while no one looks so far back. */
export const BARS_KEPT = 5_000;
/** So many more are kept before the oldest are dropped, since that draws the chart anew: a page of history fits. */
const SLACK = PAGE_BARS;

export interface SeriesListener {
  /** The list is another one now. */
  barsChanged(): void;
  /** History has answered; the problem is empty where it did so well. */
  historyAnswered(problem: string): void;
}

/**
 * The bars of one series without a hole and without a double: what the stream says, and history before it.
 *
 * A snapshot has the newest bars only. What was held from before a reconnect may end before the snapshot begins, may
 * have been revised, or have become final meanwhile: so all that is older than the snapshot is asked for anew, newest
 * page first, as far back as was held. Bars that do not reach the snapshot are not shown until then, since a hole
 * between them could not be seen.
 *
 * Of a series that stays open the oldest bars are dropped, but none that is needed on the screen: history has them.
 */
export class SeriesBars {
  private bars: Bar[] = [];
  private readonly early = new EarlyUpdates(BARS_KEPT);
  private needed = 0;
  private requests = new AbortController();
  private isLoading = false;
  private isComplete = false;
  private unrestored: Required<TimeRange> | null = null;

  constructor(
    readonly key: SeriesKey,
    private readonly listener: SeriesListener,
  ) {}

  /** No answer that is still under way changes anything from now on. */
  drop(): void {
    this.requests.abort();
  }

  /** The bars of now, oldest first. */
  list(): readonly Bar[] {
    return [...this.bars];
  }

  get newest(): Bar | undefined {
    return this.bars.at(-1);
  }

  /** So many of the newest bars are needed: all (Infinity) while one looks at older ones. */
  keep(needed: number): void {
    this.needed = needed;
  }

  takeSnapshot(snapshot: readonly Bar[]): void {
    this.forgetRequests();
    const held = this.bars;
    this.early.clear();
    this.set(merge(joining(held, snapshot), snapshot));
    const [oldestHeld, oldestTold] = [held[0], snapshot[0]];
    if (!oldestHeld || !oldestTold) return;
    this.unrestored = { start_ns: oldestHeld.start_ns, end_ns: oldestTold.start_ns };
    this.restoreRest();
  }

  takeUpdate(bar: Bar): void {
    const oldest = this.bars[0];
    if (oldest && !this.isComplete && compareTimes(bar.start_ns, oldest.start_ns) < 0) {
      this.early.add(bar);
      return;
    }
    put(this.bars, bar);
    this.dropUnneeded();
    this.listener.barsChanged();
  }

  /** Load the page of history before the oldest bar, unless it is under way or there is none. */
  async loadOlder(): Promise<void> {
    const oldest = this.bars[0];
    if (!oldest || this.isLoading || this.isComplete || this.unrestored) return;
    await this.fetching(async (signal) => {
      const page = await this.page({ end_ns: oldest.start_ns }, signal);
      this.isComplete = page.length < PAGE_BARS;
    });
  }

  /** Ask anew for what a reconnect has left in doubt, as far as that has not been answered yet. */
  restoreRest(): void {
    if (!this.unrestored || this.isLoading) return;
    void this.fetching(async (signal) => {
      while (this.unrestored) this.unrestored = await this.restorePage(this.unrestored, signal);
    });
  }

  /** Ask anew for the newest page of a range; what is left of it then, null where that is nothing, or enough are held. */
  private async restorePage(
    range: Required<TimeRange>,
    signal: AbortSignal,
  ): Promise<Required<TimeRange> | null> {
    if (compareTimes(range.start_ns, range.end_ns) >= 0) return null;
    const page = await this.page(range, signal);
    if (!page[0] || page.length < PAGE_BARS) return null;
    const end_ns = page[0].start_ns;
    const place = placeOf(this.bars, end_ns);
    if (this.bars.length - place < this.kept) return { ...range, end_ns };
    this.dropOldest(place);
    return null;
  }

  private async page(range: TimeRange, signal: AbortSignal): Promise<Bar[]> {
    const page = await fetchBars(this.key, range, signal);
    signal.throwIfAborted();
    const oldest = page[0];
    const told = oldest && page.length >= PAGE_BARS ? { ...range, start_ns: oldest.start_ns } : range;
    const held = merge(this.early.takeFrom(told.start_ns), this.bars);
    this.set(merge(page, remaining(held, page, told)));
    return page;
  }

  private async fetching(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.requests;
    this.isLoading = true;
    let problem = "";
    try {
      await work(signal);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (signal.aborted) return;
    this.isLoading = false;
    this.listener.historyAnswered(problem);
  }

  /** Answers to what was asked before would be merged with bars that they do not join. */
  private forgetRequests(): void {
    this.requests.abort();
    this.requests = new AbortController();
    this.isLoading = false;
    this.isComplete = false;
    this.unrestored = null;
  }

  private get kept(): number {
    return Math.max(BARS_KEPT, this.needed);
  }

  /** A page that is under way joins the oldest bar, which has to stay for it. */
  private dropUnneeded(): void {
    if (!this.isLoading && this.bars.length > this.kept + SLACK)
      this.dropOldest(this.bars.length - this.kept);
  }

  /** What a bar was revised to may not be in history yet; that it is final has long been told there. */
  private dropOldest(count: number): void {
    for (const bar of this.bars.splice(0, count)) if (bar.state === "revised") this.early.add(bar);
    this.isComplete = false;
    const oldest = this.bars[0];
    const left = this.unrestored;
    if (left && oldest && compareTimes(oldest.start_ns, left.end_ns) > 0) this.unrestored = null; // it joins no more
    this.listener.barsChanged();
  }

  private set(bars: Bar[]): void {
    this.bars = bars;
    this.listener.barsChanged();
  }
}

/**
 * What was held and joins the snapshot: nothing where a bar may be missing between them. Another log (epoch) is another
 * story. So is a server that has loaded all there is, and has no bar of the series.
 */
function joining(held: readonly Bar[], snapshot: readonly Bar[]): Bar[] {
  const [newestHeld, oldestTold, newestTold] = [held.at(-1), snapshot[0], snapshot.at(-1)];
  if (!newestHeld || !oldestTold || newestHeld.epoch !== newestTold?.epoch) return [];
  const { start_ns } = oldestTold;
  return compareTimes(newestHeld.start_ns, start_ns) < 0 ? [] : remaining(held, snapshot, { start_ns });
}
