import type { Instrument, Listing, SeriesKey } from "../feed/protocol";

/** What one looks at is kept in the address, so that a chart can be linked to and survives a reload. */

const USUAL_INTERVAL = "1m";
const USUAL_BASE = "BTC-";

/** The series that an address names; parts that it does not name are empty. */
export function fromAddress(search: string): SeriesKey {
  const query = new URLSearchParams(search);
  const part = (name: string): string => query.get(name) ?? "";
  return { venue: part("venue"), instrument: part("instrument"), interval: part("interval") };
}

export function toAddress(key: SeriesKey): string {
  return `?${new URLSearchParams({ venue: key.venue, instrument: key.instrument, interval: key.interval }).toString()}`;
}

/** The wanted series as far as it is listed; what is not, gives way to the usual. Null while nothing is listed. */
export function choose(wanted: SeriesKey, listing: Listing): SeriesKey | null {
  const { instruments, intervals } = listing;
  const onVenue = instruments.filter(({ venue }) => venue === wanted.venue);
  const candidates = onVenue.length > 0 ? onVenue : instruments;
  const chosen =
    candidates.find(({ instrument }) => instrument === wanted.instrument) ??
    candidates.find(({ instrument }) => instrument.startsWith(USUAL_BASE)) ??
    candidates[0];
  const interval = [wanted.interval, USUAL_INTERVAL].find((name) => intervals.includes(name)) ?? intervals[0];
  return chosen && interval ? { venue: chosen.venue, instrument: chosen.instrument, interval } : null;
}

/** While the server loads, its list grows: what is shown counts as listed, though it is not in there yet. */
export function withShown(listing: Listing, shown: Instrument | null): Listing {
  return listing.isWhole || !shown ? listing : { ...listing, instruments: [shown, ...listing.instruments] };
}

/**
 * The wanted series with the chosen one where it names nothing: what comes to be listed later changes no choice. An
 * instrument that stands in for one that is not listed yet fills nothing in.
 */
export function settled(wanted: SeriesKey, chosen: SeriesKey): SeriesKey {
  const { venue, instrument } = isWanted(wanted, chosen) ? chosen : wanted;
  return { venue, instrument, interval: wanted.interval || chosen.interval };
}

/** In words, what was wanted and cannot be shown; empty where the chosen series is the wanted one. */
export function unmet(wanted: SeriesKey, chosen: SeriesKey): string {
  const name = [wanted.venue, wanted.instrument].filter(Boolean).join(" ");
  return [
    !isWanted(wanted, chosen) &&
      `${name} has not traded yet. Until it does, this is ${chosen.venue} ${chosen.instrument}.`,
    wanted.interval !== chosen.interval &&
      `There is no interval ${wanted.interval}: this is ${chosen.interval}.`,
  ]
    .filter(Boolean)
    .join(" ");
}

/** Whether an instrument is all that is wanted of one. */
function isWanted(wanted: Instrument, { venue, instrument }: Instrument): boolean {
  return [venue, ""].includes(wanted.venue) && [instrument, ""].includes(wanted.instrument);
}

export function isSameInstrument(first: Instrument | null, second: Instrument | null): boolean {
  return first?.venue === second?.venue && first?.instrument === second?.instrument;
}

export function isSame(first: SeriesKey | null, second: SeriesKey | null): boolean {
  return isSameInstrument(first, second) && first?.interval === second?.interval;
}
