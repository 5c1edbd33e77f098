import { computed, onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from "vue";

import { Connection, type ConnectionState } from "../feed/connection";
import type { Bar, Listing, SeriesKey, ServerMessage, Trade } from "../feed/protocol";
import { milliseconds } from "../time";
import { choose, fromAddress, isSame, toAddress } from "./selection";
import { SeriesBars } from "./series";

const TRADES_KEPT = 60;
const RETRY_MS = 1_000;
/** What the server says while it has not seen an instrument yet, or still loads: asking again helps. */
const PASSING: readonly string[] = ["not_ready", "unknown_instrument", "unknown_venue"];

export interface Market {
  readonly connection: Ref<ConnectionState>;
  readonly retryAt: Ref<number>;
  readonly namespace: Ref<string>;
  readonly listing: ShallowRef<Listing | null>;
  readonly selection: ShallowRef<SeriesKey | null>;
  readonly bars: ShallowRef<readonly Bar[]>;
  /** Newest first. */
  readonly trades: ShallowRef<readonly Trade[]>;
  /** How long after its event time the newest trade was heard of, in milliseconds; null before the first. */
  readonly lagMs: Ref<number | null>;
  readonly problem: Ref<string>;
  select(change: Partial<SeriesKey>): void;
  loadOlder(): void;
  reconnect(): void;
}

/** One connection to the API, and the one series that is looked at. */
export function useMarket(address: string): Market {
  const connection = ref<ConnectionState>("closed");
  const retryAt = ref(0);
  const namespace = ref("");
  const listing = shallowRef<Listing | null>(null);
  const selection = shallowRef<SeriesKey | null>(null);
  const bars = shallowRef<readonly Bar[]>([]);
  const trades = shallowRef<readonly Trade[]>([]);
  const lagMs = ref<number | null>(null);
  const problem = ref("");
  let wanted = fromAddress(window.location.search);
  let series: SeriesBars | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;

  const socket = new Connection(address, {
    stateChanged(state, at) {
      connection.value = state;
      retryAt.value = at;
      if (state === "open") askAgain(0);
    },
    messageReceived: take,
    messageRefused(error) {
      problem.value = `The server sent what this page does not understand: ${error.message}`;
    },
  });

  function take(message: ServerMessage): void {
    switch (message.type) {
      case "hello":
        namespace.value = message.namespace;
        break;
      case "list":
        takeListing(message);
        break;
      case "snapshot":
        problem.value = "";
        if (isSame(series?.key ?? null, message)) series?.takeSnapshot(message.bars);
        break;
      case "update":
        if (isSame(series?.key ?? null, message)) series?.takeUpdate(message.bar);
        break;
      case "trade":
        if (message.venue === selection.value?.venue && message.instrument === selection.value.instrument) {
          trades.value = [message.trade, ...trades.value].slice(0, TRADES_KEPT);
          lagMs.value = Date.now() - milliseconds(message.trade.event_time_ns);
        }
        break;
      case "error":
        problem.value = message.reason;
        if (PASSING.includes(message.code)) askAgain(RETRY_MS);
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
    const chosen = choose(wanted, told);
    if (chosen) look(chosen);
    else askAgain(RETRY_MS);
  }

  function look(key: SeriesKey): void {
    if (!isSame(selection.value, key)) {
      leave();
      selection.value = key;
      window.history.replaceState(null, "", toAddress(key));
    }
    series ??= new SeriesBars(key, {
      barsChanged(changed) {
        bars.value = changed;
      },
      historyFailed(reason) {
        problem.value = `Older bars could not be loaded: ${reason}`;
      },
    });
    const { venue, instrument } = key;
    socket.send({ op: "subscribe", channel: "bars", ...key });
    socket.send({ op: "subscribe", channel: "trades", venue, instrument });
  }

  function leave(): void {
    const left = selection.value;
    if (left) {
      const { venue, instrument } = left;
      socket.send({ op: "unsubscribe", channel: "bars", ...left });
      socket.send({ op: "unsubscribe", channel: "trades", venue, instrument });
    }
    series?.drop();
    series = null;
    bars.value = [];
    trades.value = [];
    lagMs.value = null;
    problem.value = "";
  }

  function select(change: Partial<SeriesKey>): void {
    wanted = { ...(selection.value ?? wanted), ...change };
    if (listing.value) takeListing(listing.value);
  }

  onScopeDispose(() => {
    clearTimeout(retry);
    series?.drop();
    socket.close();
  });
  socket.open();
  return {
    connection,
    retryAt,
    namespace,
    listing,
    selection,
    bars,
    trades,
    lagMs,
    problem,
    select,
    loadOlder: () => void series?.loadOlder(),
    reconnect: () => {
      socket.open();
    },
  };
}

/** The venue's instruments, by name. */
export function useInstruments(market: Market): Readonly<Ref<readonly string[]>> {
  return computed(() =>
    (market.listing.value?.instruments ?? [])
      .filter(({ venue }) => venue === market.selection.value?.venue)
      .map(({ instrument }) => instrument),
  );
}
