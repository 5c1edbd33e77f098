import type { Bar, Trade } from "../feed/protocol";
import { compareTimes, milliseconds } from "../time";
import { closesBars, endNs } from "./tape";

export const LOOK_MS = 1_000;
/** A bar comes within a second of its trade, and within so many after a fold worker has gone. */
const LOOKS = 10;

/**
 * How far bars are behind the trades that are heard. A trade is due in a bar some time after it was heard, whatever its
 * event time: the first one after an hour of silence is far behind the newest bar, and its own bar comes at once. That
 * time is counted in looks, not read from a clock: the viewer's may be set, and the page may sleep.
 */
export class BarLag {
  /** Times of the newest trade that closes bars, at the last looks. */
  private heard_ns: (string | undefined)[] = [];

  /** In milliseconds; null where no bar is due, or where it is not known when the newest one ends. */
  look(tape: readonly Trade[], newest: Bar | undefined): number | null {
    const last_ns = tape.find(closesBars)?.event_time_ns;
    this.heard_ns.push(last_ns);
    const due_ns = this.heard_ns.length > LOOKS ? this.heard_ns.shift() : undefined;
    const end_ns = newest && endNs(newest);
    if (!last_ns || !due_ns || !end_ns || compareTimes(due_ns, end_ns) < 0) return null;
    return milliseconds(last_ns) - milliseconds(end_ns);
  }

  /** What is heard from now on is of another instrument, or of after a connection was lost. */
  forget(): void {
    this.heard_ns = [];
  }
}
