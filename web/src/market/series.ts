import { fetchBars, PAGE_BARS, type TimeRange } from "../feed/history";
import type { Bar, SeriesKey } from "../feed/protocol";
import { merge } from "../series/merge";
import { compareTimes } from "../time";

export interface SeriesListener {
  barsChanged(bars: readonly Bar[]): void;
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
 */
export class SeriesBars {
  private bars: readonly Bar[] = [];
  /** Updates of bars before the oldest shown one: they join once history has brought what is between. */
  private early: readonly Bar[] = [];
  private requests = new AbortController();
  private isLoading = false;
  private isComplete = false;

  constructor(
    readonly key: SeriesKey,
    private readonly listener: SeriesListener,
  ) {}

  /** No answer that is still under way changes anything from now on. */
  drop(): void {
    this.requests.abort();
  }

  takeSnapshot(snapshot: readonly Bar[]): void {
    this.forgetRequests();
    const held = this.bars;
    this.early = [];
    this.set(joins(held, snapshot) ? merge(held, snapshot) : snapshot);
    const [oldestHeld, oldestTold] = [held[0], snapshot[0]];
    if (oldestHeld && oldestTold) void this.restore(oldestHeld.start_ns, oldestTold.start_ns);
  }

  takeUpdate(bar: Bar): void {
    const oldest = this.bars[0];
    if (oldest && compareTimes(bar.start_ns, oldest.start_ns) < 0) this.early = merge(this.early, [bar]);
    else this.set(merge(this.bars, [bar]));
  }

  /** Load the page of history before the oldest bar, unless it is under way or there is none. */
  async loadOlder(): Promise<void> {
    const oldest = this.bars[0];
    if (!oldest || this.isLoading || this.isComplete) return;
    await this.fetching(async (signal) => {
      const page = await this.page({ end_ns: oldest.start_ns }, signal);
      this.isComplete = page.length < PAGE_BARS;
    });
  }

  /** Ask anew for the bars that start in [start_ns, end_ns), page by page from the newest. */
  private async restore(start_ns: string, end_ns: string): Promise<void> {
    if (compareTimes(start_ns, end_ns) >= 0) return;
    await this.fetching(async (signal) => {
      for (let end = end_ns; compareTimes(start_ns, end) < 0;) {
        const page = await this.page({ start_ns, end_ns: end }, signal);
        if (!page[0] || page.length < PAGE_BARS) return;
        end = page[0].start_ns;
      }
    });
  }

  private async page(range: TimeRange, signal: AbortSignal): Promise<Bar[]> {
    const page = await fetchBars(this.key, range, signal);
    signal.throwIfAborted();
    const oldest = page[0];
    if (!oldest) return page;
    const joining = this.early.filter(({ start_ns }) => compareTimes(start_ns, oldest.start_ns) >= 0);
    this.set(merge(merge(page, joining), this.bars));
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
  }

  private set(bars: readonly Bar[]): void {
    this.bars = bars;
    this.listener.barsChanged(bars);
  }
}

/** Whether no bar can be missing between what was held and the snapshot; another log (epoch) is another story. */
function joins(held: readonly Bar[], snapshot: readonly Bar[]): boolean {
  const [newestHeld, oldestTold, newestTold] = [held.at(-1), snapshot[0], snapshot.at(-1)];
  if (!newestHeld || !oldestTold || !newestTold) return true;
  return newestHeld.epoch === newestTold.epoch && compareTimes(newestHeld.start_ns, oldestTold.start_ns) >= 0;
}
