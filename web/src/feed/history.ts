import { parseBars } from "./guard";
import type { Bar, SeriesKey } from "./protocol";

/** Most bars of one answer that this page asks for; the server allows 5,000. */
export const PAGE_BARS = 1_000;

/** The newest bars of a series that start in [start_ns, end_ns), oldest first, at most PAGE_BARS. */
export async function fetchBars(
  key: SeriesKey,
  range: { start_ns?: string; end_ns: string },
  signal: AbortSignal,
): Promise<Bar[]> {
  const { venue, instrument, interval } = key;
  const query = new URLSearchParams({ venue, instrument, interval, ...range, limit: String(PAGE_BARS) });
  const answer = await fetch(`/api/v1/bars?${query.toString()}`, { signal });
  if (!answer.ok) throw new Error(`GET /api/v1/bars answered ${answer.status}`);
  return parseBars(await answer.json());
}

/** All bars that start in [start_ns, end_ns), oldest first, page by page from the newest. */
export async function fetchRange(
  key: SeriesKey,
  start_ns: string,
  end_ns: string,
  signal: AbortSignal,
): Promise<Bar[]> {
  let found: Bar[] = [];
  for (let end = end_ns; ;) {
    const page = await fetchBars(key, { start_ns, end_ns: end }, signal);
    found = [...page, ...found];
    const oldest = page[0];
    if (!oldest || page.length < PAGE_BARS) return found;
    end = oldest.start_ns;
  }
}
