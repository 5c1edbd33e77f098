import type { Bar, Trade } from "../feed/protocol";
import { lengthNs } from "../interval";
import { compareTimes } from "../time";

/** Trades kept, newest first: more than are shown, so that the last one of a bar that comes behind them is among them. */
export const TRADES_KEPT = 1_000;
export const TRADES_SHOWN = 60;
/** A venue may count anew: an id that comes so much later is another trade's. The fold has the same bound. */
const RECOUNT_NS = 60_000_000_000n;

/**
 * The tape with one more trade, at its place by event time: a trade that was missed comes after newer ones. Of equal
 * times the one that came last is the newest. One that a venue tells again after a reconnect is on the tape once.
 */
export function heard(tape: readonly Trade[], trade: Trade): readonly Trade[] {
  if (tape.some((known) => isAgain(known, trade))) return tape;
  const place = tape.findIndex(({ event_time_ns }) => compareTimes(event_time_ns, trade.event_time_ns) <= 0);
  return tape.toSpliced(place < 0 ? tape.length : place, 0, trade).slice(0, TRADES_KEPT);
}

/**
 * Trades of the tape behind which others were not heard: how many, or null where it is not known whether any, as while a
 * connection was lost, or messages of the venue were.
 */
export type Holes = ReadonlyMap<Trade, number | null>;

/** The holes with one more, behind all that is on the tape; none is told before the first trade. */
export function withHole(holes: Holes, tape: readonly Trade[], count: number | null): Holes {
  const last = tape[0];
  if (!last) return holes;
  const before = holes.get(last);
  const all = before === null || count === null ? null : (before ?? 0) + count;
  return new Map([...holes].filter(([trade]) => tape.includes(trade))).set(last, all);
}

function isAgain(known: Trade, trade: Trade): boolean {
  if (known.trade_id !== trade.trade_id) return false;
  return BigInt(trade.event_time_ns) - BigInt(known.event_time_ns) <= RECOUNT_NS;
}

/**
 * The trades whose newest has a provisional price: one that is not confirmed, nor older than what the newest bar says. A
 * bar that forms no more says all of its time: a trade in there is confirmed, or was cancelled or corrected. A trade that
 * closes no bar, as an odd lot, has no such price.
 */
export function provisionalTrades(
  tape: readonly Trade[],
  newest: Bar | undefined,
  confirmed: readonly Trade[] = [],
): readonly Trade[] {
  const priced = tape.filter(closesBars);
  const last = priced[0];
  const isOld = last && newest && compareTimes(last.event_time_ns, toldUpTo(newest)) < 0;
  return isOld || (last && confirmed.includes(last)) ? [] : priced;
}

/** Whether a trade counts for the close of its bar, which is then not older than it. */
export function closesBars({ counts_for }: Trade): boolean {
  return counts_for.includes("open_close");
}

/**
 * Whether the newest bar, as it has just come, confirms all that is on the tape, if only by going past it: its last trade
 * was not heard, so that the tape is behind. One by an exchange's hours, of which the page does not know when they end,
 * does so once it forms no more.
 */
export function confirmsAll(newest: Bar, tape: readonly Trade[]): boolean {
  const [last, end_ns] = [tape[0], endNs(newest)];
  if (last && end_ns !== null && compareTimes(last.event_time_ns, end_ns) >= 0) return false;
  const isOver = end_ns === null && newest.state !== "forming";
  return (
    isOver || !(isBehind(newest, tape) || tape.some(({ trade_id }) => trade_id === newest.last_trade_id))
  );
}

/** Whether a bar's last trade is older than all of the tape, as where the server is behind and the page has just come. */
function isBehind({ last_trade_id }: Bar, tape: readonly Trade[]): boolean {
  const oldest = tape.at(-1)?.trade_id ?? "";
  const isNumbered = [last_trade_id, oldest].every((id) => /^\d+$/.test(id));
  return isNumbered && BigInt(last_trade_id) < BigInt(oldest);
}

/** Before what time nothing is provisional. */
function toldUpTo(bar: Bar): string {
  return (bar.state === "forming" ? null : endNs(bar)) ?? bar.start_ns;
}

/** Null where it is not known. */
export function endNs({ interval, start_ns }: Bar): string | null {
  const length = lengthNs(interval);
  return length === null ? null : String(BigInt(start_ns) + length);
}
