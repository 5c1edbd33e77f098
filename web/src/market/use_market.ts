import { useEventListener } from "@vueuse/core";
import { onScopeDispose, ref, shallowRef, type Ref } from "vue";

import { Connection, type ConnectionState } from "../feed/connection";
import type { Bar, Listing, SeriesKey, ServerMessage } from "../feed/protocol";
import { useFrame } from "../frames";
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
import { useBarLag } from "./use_bar_lag";
import { useProblem } from "./use_problem";
import { useTape, type ShownTape } from "./use_tape";

const RETRY_MS = 1_000;
/** What the server says while it has not seen an instrument yet, or still loads: asking again helps. */
const PASSING: readonly string[] = ["not_ready", "unknown_instrument", "unknown_venue"];

export interface Market extends ShownTape {
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
  /** What is wrong, in words. */
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
  let series: SeriesBars | null = null;
  const tape = useTape();
  const barLag = useBarLag(connection, tape.kept, () => series?.newest);
  const problem = useProblem(
    () => (selection.value ? unmet(wanted.value, selection.value) : ""),
    barLag.barLagMs,
  );
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
      problem.standsStill(null);
      if (state === "open") askAgain(0);
      else tape.skipped(null);
    },
    messageReceived: take,
    messageRefused(error) {
      problem.notUnderstood(error);
    },
  });

  function take(message: ServerMessage): void {
    switch (message.type) {
      case "hello":
        if (namespace.value && namespace.value !== message.namespace) beginAnew();
        namespace.value = message.namespace;
        problem.standsStill(message.standstill);
        break;
      case "list":
        takeListing(message);
        break;
      case "heartbeat":
        problem.standsStill(message.standstill);
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
        if (isSameInstrument(selection.value, message)) tape.takeTrade(message.trade);
        break;
      case "skipped":
        if (isSameInstrument(selection.value, message)) tape.skipped(message.count);
        break;
      case "lost":
        if (selection.value?.venue === message.venue) tape.skipped(null);
        break;
      case "error":
        if (message.code === "not_subscribed") break; // one was left that had been refused
        problem.refused(message.reason);
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
    problem.answersForgotten();
    isTold.value = true;
    series?.takeSnapshot(told);
    tape.confirmAll(); // also what was missed since, while the connection was lost
  }

  function takeUpdate(bar: Bar): void {
    series?.takeUpdate(bar);
    if (series?.newest === bar) tape.barChanged(bar);
  }

  function look(key: SeriesKey): void {
    if (!isSame(selection.value, key)) {
      leave(key);
      selection.value = key;
      series = new SeriesBars(key, {
        barsChanged: showBars,
        historyAnswered(failure) {
          problem.historyAnswered(failure);
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
    problem.answersForgotten();
    barLag.seriesLeft();
    if (keepsTrades) return;
    barLag.forget();
    tape.forget();
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

  onScopeDispose(() => {
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
    ...tape.shown,
    problem: problem.text,
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
