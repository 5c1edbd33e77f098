import type { TimeRange } from "../feed/history";
import type { Bar } from "../feed/protocol";
import { compareTimes } from "../time";
import { resetsBetween } from "./epoch";
import { placeOf } from "./search";

/**
 * The union of two lists of bars, both oldest first, with one version of each bar: the newer one.
 *
 * `later` was heard after `earlier`. That decides only between versions of different logs, in which their seqs count; a
 * page of history counts as earlier than what the stream has said.
 */
export function merge(earlier: readonly Bar[], later: readonly Bar[]): Bar[] {
  const merged: Bar[] = [];
  let i = 0;
  let j = 0;
  for (let a = earlier[i], b = later[j]; a ?? b; a = earlier[i], b = later[j]) {
    const order = !a ? 1 : !b ? -1 : compareTimes(a.start_ns, b.start_ns);
    if (order <= 0) i += 1;
    if (order >= 0) j += 1;
    const newest = order < 0 ? a : order > 0 ? b : a && b && newer(a, b);
    if (newest) merged.push(newest);
  }
  return merged;
}

/** Merge one bar, heard after the others, into their list: as `merge` does, with no look at those that stay. */
export function put(bars: Bar[], bar: Bar): void {
  const place = placeOf(bars, bar.start_ns);
  const held = bars[place];
  if (held?.start_ns === bar.start_ns) bars[place] = newer(held, bar);
  else bars.splice(place, 0, bar);
}

/**
 * The newer of two versions of one bar: that of after a reset; else the higher seq; at the same seq final beats forming,
 * then the revision.
 */
export function newer(earlier: Bar, later: Bar): Bar {
  const resets = resetsBetween(earlier.epoch, later.epoch);
  if (resets === null) return later;
  const order =
    resets ||
    later.seq - earlier.seq ||
    settled(later) - settled(earlier) ||
    later.revision - earlier.revision;
  return order > 0 ? later : earlier;
}

/**
 * What is left of bars once `told` is all that the server has of a time, which may have no beginning or end: the ones of
 * before a reset that it knows of, and that it does not have, are gone.
 */
export function remaining(
  bars: readonly Bar[],
  told: readonly Bar[],
  { start_ns, end_ns }: Partial<TimeRange>,
): Bar[] {
  const starts = new Set(told.map((bar) => bar.start_ns));
  const epochs = [...new Set(told.map(({ epoch }) => epoch))];
  return bars.filter(
    (bar) =>
      starts.has(bar.start_ns) ||
      (start_ns !== undefined && compareTimes(bar.start_ns, start_ns) < 0) ||
      (end_ns !== undefined && compareTimes(bar.start_ns, end_ns) >= 0) ||
      !epochs.some((epoch) => (resetsBetween(bar.epoch, epoch) ?? 0) > 0),
  );
}

function settled(bar: Bar): number {
  return bar.state === "forming" ? 0 : 1;
}
