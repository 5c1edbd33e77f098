import { useEventListener } from "@vueuse/core";
import { computed, onScopeDispose, ref, shallowRef, type Ref } from "vue";

import { Connection, type ConnectionState } from "../feed/connection";
import type { Bar, Listing, SeriesKey, ServerMessage, Trade } from "../feed/protocol";
import { duration } from "../duration";
import { refByFrame, useFrame } from "../frames";
import { milliseconds } from "../time";
import { BarLag, LOOK_MS } from "./bar_lag";
import {
  choose,
  fromAddress,
  isSame,
  isSameInstrument,
  settled,
  toAddress,
  unmet,
  withShown,
} from "./selection";
import { SeriesBars } from "./series";
import { confirmsAll, heard, TRADES_SHOWN, withHole, type Holes } from "./tape";

const RETRY_MS = 1_000;
const MINUTE_MS = 60_000;
/** What the server says while it has not seen an instrument yet, or still loads: asking again helps. */
const PASSING: readonly string[] = ["not_ready", "unknown_instrument", "unknown_venue"];

export interface Market {
  readonly connection: Readonly<Ref<ConnectionState>>;
  /** Milliseconds of Date.now(), 0 unless waiting. */
  readonly retryAt: Readonly<Ref<number>>;
  readonly namespace: Readonly<Ref<string>>;
  readonly listing: Readonly<Ref<Listing | null>>;
  readonly selection: Readonly<Ref<SeriesKey | null>>;
  /** Whether the series has been told since it was chosen: only then does "no bars" mean that there are none. */
  readonly isTold: Readonly<Ref<boolean>>;
  /** Oldest first. */
  readonly bars: Readonly<Ref<readonly Bar[]>>;
  /** Newest first. */
  readonly trades: Readonly<Ref<readonly Trade[]>>;
  /** Where trades were not heard. */
  readonly holes: Readonly<Ref<Holes>>;
  /** Trades that the bars have, or have gone past. */
  readonly confirmed: Readonly<Ref<readonly Trade[]>>;
  /** How long after its event time the newest trade was heard of, in milliseconds; null before the first. */
  readonly lagMs: Readonly<Ref<number | null>>;
  readonly problem: Readonly<Ref<string>>;
  select(change: Partial<SeriesKey>): void;
  /** So many of the newest bars are needed: all (Infinity) while one looks at older ones. */
  keep(needed: number): void;
  loadOlder(): void;
  reconnect(): void;
}

/** One connection to the API, and the one series that is looked at. */
export function useMarket(address: string): Market {
  const connection = ref<ConnectionState>("closed");
  const retryAt = ref(0);
  const namespace = ref("");
  const listing = shallowRef<Listing | null>(null);
  const wanted = shallowRef(fromAddress(window.location.search));
  const selection = shallowRef<SeriesKey | null>(null);
  const isTold = ref(false);
  const bars = shallowRef<readonly Bar[]>([]);
  const tape = shallowRef<readonly Trade[]>([]);
  const shownTape = refByFrame(tape);
  const holes = shallowRef<Holes>(new Map());
  const confirmed = shallowRef<readonly Trade[]>([]);
  const lagMs = ref<number | null>(null);
  const refusal = ref("");
  const historyProblem = ref("");
  const standstill = ref<string | null>(null);
  const barLag = new BarLag();
  const barLagMs = ref<number | null>(null);
  let series: SeriesBars | null = null;
  const showBars = useFrame(() => {
    bars.value = series?.list() ?? [];
  });
  let isSubscribed = false;
  let retry: ReturnType<typeof setTimeout> | undefined;

  const socket = new Connection(address, {
    stateChanged(state, at) {
      connection.value = state;
      retryAt.value = at;
      isSubscribed = false;
      standstill.value = null;
      forgetBarLag();
      if (state === "open") askAgain(0);
      else holes.value = withHole(holes.value, tape.value, null);
    },
    messageReceived: take,
    messageRefused(error) {
      refusal.value = `The server sent what this page does not understand: ${error.message}`;
    },
  });

  function take(message: ServerMessage): void {
    switch (message.type) {
      case "hello":
        if (namespace.value && namespace.value !== message.namespace) beginAnew();
        namespace.value = message.namespace;
        standstill.value = message.standstill;
        break;
      case "list":
        takeListing(message);
        break;
      case "heartbeat":
        standstill.value = message.standstill;
        if (message.list_version !== listing.value?.version) askAgain(0);
        if (listing.value?.hasOlderBars) series?.restoreRest();
        break;
      case "snapshot":
        takeSnapshot(message, message.bars);
        break;
      case "update":
        if (isSame(selection.value, message)) takeUpdate(message.bar);
        break;
      case "trade":
        if (isSameInstrument(selection.value, message)) takeTrade(message.trade);
        break;
      case "skipped":
        if (isSameInstrument(selection.value, message))
          holes.value = withHole(holes.value, tape.value, message.count);
        break;
      case "error":
        if (message.code === "not_subscribed") break; // one was left that had been refused
        refusal.value = message.reason;
        if (PASSING.includes(message.code)) {
          isSubscribed = false;
          askAgain(RETRY_MS);
        }
        break;
    }
  }

  /** What there is may have changed with the connection, or since the last refusal: begin with the list. */
  function askAgain(delayMs: number): void {
    clearTimeout(retry);
    retry = setTimeout(() => {
      socket.send({ op: "list" });
    }, delayMs);
  }

  function takeListing(told: Listing): void {
    listing.value = told;
    const chosen = choose(wanted.value, withShown(told, selection.value));
    if (!chosen) {
      askAgain(RETRY_MS);
      return;
    }
    wanted.value = settled(wanted.value, chosen);
    window.history.replaceState(null, "", toAddress(wanted.value));
    look(chosen);
  }

  function takeSnapshot(key: SeriesKey, told: readonly Bar[]): void {
    if (!isSame(selection.value, key)) return;
    refusal.value = "";
    historyProblem.value = "";
    isTold.value = true;
    series?.takeSnapshot(told);
    confirmed.value = tape.value; // also what was missed since, while the connection was lost
  }

  function takeUpdate(bar: Bar): void {
    series?.takeUpdate(bar);
    if (series?.newest === bar && confirmsAll(bar, tape.value)) confirmed.value = tape.value;
  }

  function takeTrade(trade: Trade): void {
    tape.value = heard(tape.value, trade);
    if (tape.value[0] === trade) lagMs.value = Date.now() - milliseconds(trade.event_time_ns);
  }

  function forgetBarLag(): void {
    barLag.forget();
    barLagMs.value = null;
  }

  function look(key: SeriesKey): void {
    if (!isSame(selection.value, key)) {
      leave(key);
      selection.value = key;
      series = new SeriesBars(key, {
        barsChanged: showBars,
        historyAnswered(problem) {
          historyProblem.value = problem && `Older bars could not be loaded: ${problem}.`;
        },
      });
    }
    if (isSubscribed) return;
    const { venue, instrument } = key;
    socket.send({ op: "subscribe", channel: "bars", ...key });
    socket.send({ op: "subscribe", channel: "trades", venue, instrument });
    isSubscribed = true;
  }

  /** Forget what another run has told: nothing of it joins what this one tells. */
  function beginAnew(): void {
    leave(null);
    series = null;
    selection.value = null;
    listing.value = null;
  }

  /** End what the next series, if there is one, does not share with the present one. */
  function leave(next: SeriesKey | null): void {
    const left = selection.value;
    const keepsTrades = isSameInstrument(left, next);
    if (left && connection.value === "open") {
      const { venue, instrument } = left;
      socket.send({ op: "unsubscribe", channel: "bars", ...left });
      if (!keepsTrades) socket.send({ op: "unsubscribe", channel: "trades", venue, instrument });
    }
    isSubscribed = false;
    series?.drop();
    bars.value = [];
    isTold.value = false;
    refusal.value = "";
    historyProblem.value = "";
    barLagMs.value = null;
    if (keepsTrades) return;
    barLag.forget();
    tape.value = [];
    holes.value = new Map();
    lagMs.value = null;
  }

  /** Another venue or instrument is one that is listed; another interval is one of what is wanted, be it listed or not. */
  function select(change: Partial<SeriesKey>): void {
    const shown = selection.value ?? wanted.value;
    const asked = { ...shown, ...change };
    wanted.value = isSameInstrument(shown, asked)
      ? { ...wanted.value, interval: asked.interval }
      : ((listing.value && choose(asked, listing.value)) ?? asked);
    if (listing.value) takeListing(listing.value);
  }

  const looks = setInterval(() => {
    if (connection.value === "open") barLagMs.value = barLag.look(tape.value, series?.newest);
  }, LOOK_MS);
  onScopeDispose(() => {
    clearInterval(looks);
    clearTimeout(retry);
    series?.drop();
    socket.close();
  });
  useEventListener(window, "online", () => {
    socket.open();
  });
  socket.open();
  return {
    connection,
    retryAt,
    namespace,
    listing,
    selection,
    isTold,
    bars,
    holes: refByFrame(holes),
    trades: computed(() => shownTape.value.slice(0, TRADES_SHOWN)),
    confirmed: refByFrame(confirmed),
    lagMs: refByFrame(lagMs),
    problem: computed(() =>
      [
        selection.value && unmet(wanted.value, selection.value),
        standstill.value && `No new bars come: ${standstill.value}.`,
        barLagMs.value !== null && `Bars are ${inMinutes(barLagMs.value)} behind the trades.`,
        refusal.value,
        historyProblem.value,
      ]
        .filter(Boolean)
        .join(" "),
    ),
    select,
    keep: (needed) => series?.keep(needed),
    loadOlder: () => {
      if (listing.value?.hasOlderBars) void series?.loadOlder();
    },
    reconnect: () => {
      socket.open();
    },
  };
}

/** Seconds would change with each look, and what changes in a problem is read aloud again. */
function inMinutes(ms: number): string {
  return ms < MINUTE_MS ? "less than 1 min" : duration(ms);
}

/** The venue's instruments, by name. */
export function useInstruments(market: Market): Readonly<Ref<readonly string[]>> {
  return computed(() =>
    (market.listing.value?.instruments ?? [])
      .filter(({ venue }) => venue === market.selection.value?.venue)
      .map(({ instrument }) => instrument),
  );
}
