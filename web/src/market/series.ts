import { fetchBars, fetchRange, PAGE_BARS } from "../feed/history";
import type { Bar, SeriesKey } from "../feed/protocol";
import { merge } from "../series/merge";
import { compareTimes } from "../time";

export interface SeriesListener {
  barsChanged(bars: readonly Bar[]): void;
  historyFailed(reason: string): void;
}

/**
 * The bars of one series without a hole and without a double: what the stream says, and history before it.
 *
 * A snapshot has the newest bars only. After a reconnect there may be bars between what was held and what the snapshot
 * begins with: they are fetched, and until they are there nothing older than the snapshot is shown.
 */
export class SeriesBars {
  private bars: readonly Bar[] = [];
  private readonly abort = new AbortController();
  private isLoading = false;
  private isComplete = false;

  constructor(
    readonly key: SeriesKey,
    private readonly listener: SeriesListener,
  ) {}

  /** No answer that is still under way changes anything from now on. */
  drop(): void {
    this.abort.abort();
  }

  takeSnapshot(snapshot: readonly Bar[]): void {
    const held = this.bars;
    const newestHeld = held.at(-1);
    const oldestTold = snapshot[0];
    const leavesHole =
      newestHeld !== undefined &&
      oldestTold !== undefined &&
      compareTimes(newestHeld.start_ns, oldestTold.start_ns) < 0;
    this.set(leavesHole ? snapshot : merge(held, snapshot));
    if (leavesHole) void this.fill(held, newestHeld, oldestTold);
  }

  takeUpdate(bar: Bar): void {
    this.set(merge(this.bars, [bar]));
  }

  /** Load the page of history before the oldest bar, unless it is under way or there is none. */
  async loadOlder(): Promise<void> {
    const oldest = this.bars[0];
    if (!oldest || this.isLoading || this.isComplete) return;
    this.isLoading = true;
    await this.fetching(async () => {
      const page = await fetchBars(this.key, { end_ns: oldest.start_ns }, this.abort.signal);
      this.isComplete = page.length < PAGE_BARS;
      this.set(merge(page, this.bars));
    });
    this.isLoading = false;
  }

  private async fill(held: readonly Bar[], newestHeld: Bar, oldestTold: Bar): Promise<void> {
    await this.fetching(async () => {
      const between = await fetchRange(this.key, newestHeld.start_ns, oldestTold.start_ns, this.abort.signal);
      this.set(merge(merge(held, between), this.bars));
    });
  }

  private async fetching(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.abort.signal.aborted)
        this.listener.historyFailed(error instanceof Error ? error.message : String(error));
    }
  }

  private set(bars: readonly Bar[]): void {
    if (this.abort.signal.aborted) return;
    this.bars = bars;
    this.listener.barsChanged(bars);
  }
}
