import { parseBars, parseReason } from "./guard";
import type { Bar, SeriesKey } from "./protocol";

/** Most bars of one answer that this page asks for; the server allows 5,000. */
export const PAGE_BARS = 1_000;

/** The newest bars of a series that start before end_ns, oldest first, at most PAGE_BARS. */
export async function fetchBars(key: SeriesKey, end_ns: string, signal: AbortSignal): Promise<Bar[]> {
  const { venue, instrument, interval } = key;
  const query = new URLSearchParams({ venue, instrument, interval, end_ns, limit: String(PAGE_BARS) });
  const answer = await asked(`/api/v1/bars?${query.toString()}`, signal);
  if (!answer.ok) throw new Error(parseReason(await answer.text()) ?? `the API answered ${answer.status}`);
  return parseBars(await answer.json());
}

/** A browser's own words for a server that is away differ and say little. */
async function asked(address: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(address, { signal });
  } catch {
    throw new Error("the API cannot be reached");
  }
}
