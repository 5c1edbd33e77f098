import type { Bar, Trade } from "../feed/protocol";
import { compareTimes } from "../time";

/** Trades kept, newest first. */
export const TRADES_KEPT = 60;

/** The tape with one more trade; one that a venue tells again after a reconnect is on it once. */
export function heard(tape: readonly Trade[], trade: Trade): readonly Trade[] {
  if (tape.some(({ trade_id }) => trade_id === trade.trade_id)) return tape;
  return [trade, ...tape].slice(0, TRADES_KEPT);
}

/** The trades whose newest has a provisional price: one that is not older than what the newest bar says. */
export function provisionalTrades(tape: readonly Trade[], newest: Bar | undefined): readonly Trade[] {
  const last = tape[0];
  const isOld = last && newest && compareTimes(last.event_time_ns, newest.start_ns) < 0;
  return isOld ? [] : tape;
}
