import type { Bar } from "../feed/protocol";
import { newer } from "../series/merge";
import { compareTimes } from "../time";

/**
 * Updates of bars before the oldest shown one: they join once history has brought what is between.
 *
 * History may lag behind the stream, so that a version heard may be newer than the one it brings; it does not lag for
 * long: of more than so many bars, the ones heard of longest ago are forgotten.
 */
export class EarlyUpdates {
  /** By start, in the order in which they were heard. */
  private readonly bars = new Map<string, Bar>();

  constructor(private readonly most: number) {}

  add(bar: Bar): void {
    const held = this.bars.get(bar.start_ns);
    this.bars.delete(bar.start_ns); // so that it is the last one now
    this.bars.set(bar.start_ns, held ? newer(held, bar) : bar);
    const [heardFirst] = this.bars.keys();
    if (heardFirst !== undefined && this.bars.size > this.most) this.bars.delete(heardFirst);
  }

  /** Those that start then or later, all where no time is given, oldest first; they are remembered no longer. */
  takeFrom(start_ns?: string): Bar[] {
    const taken = [...this.bars.values()].filter(
      (bar) => start_ns === undefined || compareTimes(bar.start_ns, start_ns) >= 0,
    );
    for (const bar of taken) this.bars.delete(bar.start_ns);
    return taken.sort((a, b) => compareTimes(a.start_ns, b.start_ns));
  }

  clear(): void {
    this.bars.clear();
  }
}
