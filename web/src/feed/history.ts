import { parseBars, parseReason } from "./guard";
import type { Bar, SeriesKey } from "./protocol";

/** Most bars of one answer that this page asks for; the server allows 5,000. */
export const PAGE_BARS = 1_000;
/** An answer that is not whole after so long counts as none: it would block all history after it. */
const LIMIT_S = 60;

/** Bars that start from start_ns on, where it is given, and before end_ns. */
export interface TimeRange {
  readonly start_ns?: string;
  readonly end_ns: string;
}

/** The newest bars of a series in a range of time, oldest first, at most PAGE_BARS. */
export async function fetchBars(key: SeriesKey, range: TimeRange, signal: AbortSignal): Promise<Bar[]> {
  const { venue, instrument, interval } = key;
  const query = new URLSearchParams({ venue, instrument, interval, ...range, limit: String(PAGE_BARS) });
  const limit = AbortSignal.timeout(LIMIT_S * 1_000);
  try {
    return await answered(`/api/v1/bars?${query.toString()}`, AbortSignal.any([signal, limit]));
  } catch (error) {
    throw limit.aborted ? new Error(`the API did not answer within ${LIMIT_S} s`) : error;
  }
}

async function answered(address: string, signal: AbortSignal): Promise<Bar[]> {
  const answer = await asked(address, signal);
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
