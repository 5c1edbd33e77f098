import { computed, ref, shallowRef, type Ref } from "vue";

import type { Bar, Trade } from "../feed/protocol";
import { refByFrame } from "../frames";
import { milliseconds } from "../time";
import { confirmsAll, heard, TRADES_SHOWN, withHole, type Holes } from "./tape";

/** What is shown of the tape, as of the last frame. */
export interface ShownTape {
  /** Newest first. */
  readonly trades: Readonly<Ref<readonly Trade[]>>;
  /** Where trades were not heard. */
  readonly holes: Readonly<Ref<Holes>>;
  /** Trades that the bars have, or have gone past. */
  readonly confirmed: Readonly<Ref<readonly Trade[]>>;
  /** How long after its event time the newest trade was heard of, in milliseconds; null before the first. */
  readonly lagMs: Readonly<Ref<number | null>>;
}

export interface Tape {
  readonly shown: ShownTape;
  /** All that is kept, newest first, as of now. */
  readonly kept: Readonly<Ref<readonly Trade[]>>;
  takeTrade(trade: Trade): void;
  /** So many trades were not heard behind the newest one; null where it is not known whether any. */
  skipped(count: number | null): void;
  /** The newest bar has just come, or another version of it. */
  barChanged(newest: Bar): void;
  /** The bars that have just come have all that was heard so far. */
  confirmAll(): void;
  /** What is heard from now on is of another instrument. */
  forget(): void;
}

/** The trades of one instrument, as they are heard. */
export function useTape(): Tape {
  const kept = shallowRef<readonly Trade[]>([]);
  const holes = shallowRef<Holes>(new Map());
  const confirmed = shallowRef<readonly Trade[]>([]);
  const lagMs = ref<number | null>(null);
  const drawn = refByFrame(kept);

  function confirmAll(): void {
    confirmed.value = kept.value;
  }

  return {
    shown: {
      trades: computed(() => drawn.value.slice(0, TRADES_SHOWN)),
      holes: refByFrame(holes),
      confirmed: refByFrame(confirmed),
      lagMs: refByFrame(lagMs),
    },
    kept,
    takeTrade(trade) {
      kept.value = heard(kept.value, trade);
      if (kept.value[0] === trade) lagMs.value = Date.now() - milliseconds(trade.event_time_ns);
    },
    skipped(count) {
      holes.value = withHole(holes.value, kept.value, count);
    },
    barChanged(newest) {
      if (confirmsAll(newest, kept.value)) confirmAll();
    },
    confirmAll,
    forget() {
      kept.value = [];
      holes.value = new Map();
      confirmed.value = [];
      lagMs.value = null;
    },
  };
}
