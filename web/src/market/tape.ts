import type { Bar, Trade } from "../feed/protocol";
import { lengthNs } from "../interval";
import { compareTimes } from "../time";

/** Trades kept, newest first. */
export const TRADES_KEPT = 60;

/**
 * The tape with one more trade, at its place by event time: a trade that was missed comes after newer ones. Of equal
 * times the one that came last is the newest. One that a venue tells again after a reconnect is on the tape once.
 */
export function heard(tape: readonly Trade[], trade: Trade): readonly Trade[] {
  if (tape.some(({ trade_id }) => trade_id === trade.trade_id)) return tape;
  const place = tape.findIndex(({ event_time_ns }) => compareTimes(event_time_ns, trade.event_time_ns) <= 0);
  return tape.toSpliced(place < 0 ? tape.length : place, 0, trade).slice(0, TRADES_KEPT);
}

/**
 * The trades whose newest has a provisional price: one that is not older than what the newest bar says. A bar that forms
 * no more says all of its time: a trade in there is confirmed, or was cancelled or corrected. A trade that closes no bar,
 * as an odd lot, has no such price.
 */
export function provisionalTrades(tape: readonly Trade[], newest: Bar | undefined): readonly Trade[] {
  const priced = tape.filter(({ counts_for }) => counts_for.includes("open_close"));
  const last = priced[0];
  const isOld = last && newest && compareTimes(last.event_time_ns, toldUpTo(newest)) < 0;
  return isOld ? [] : priced;
}

/** Before what time nothing is provisional. */
function toldUpTo({ interval, start_ns, state }: Bar): string {
  const length = lengthNs(interval);
  return state === "forming" || length === null ? start_ns : String(BigInt(start_ns) + length);
}
