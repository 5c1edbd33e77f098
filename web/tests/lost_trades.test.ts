import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { effectScope, type EffectScope } from "vue";

import { useMarket, type Market } from "../src/market/use_market";
import { aBar, aTrade, KEY } from "./bars";
import { newest, ServerEnd } from "./server_end";

let scope: EffectScope;

/** A market that the server has told a bar and a trade. */
function told(): Market {
  const market = scope.run(() => useMarket("ws://server/ws"));
  if (!market) throw new Error("the scope has ended");
  const { venue, instrument, interval } = KEY;
  const list = { version: 1, namespace: "demo", intervals: [interval], instruments: [KEY], state: "ready" };
  newest().say({ type: "hello", namespace: "demo", heartbeat_s: 5 });
  newest().say({ type: "list", ...list });
  newest().say({ type: "snapshot", ...KEY, bars: [aBar(9)] });
  newest().say({ type: "trade", venue, instrument, trade: aTrade(1) });
  return market;
}

beforeEach(() => {
  vi.useFakeTimers();
  const page = { location: { search: "" }, history: { replaceState: vi.fn() } };
  vi.stubGlobal("window", Object.assign(new EventTarget(), page));
  vi.stubGlobal("WebSocket", ServerEnd);
  ServerEnd.opened = [];
  scope = effectScope();
});

afterEach(() => {
  scope.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it.each([
  [KEY.venue, 3, [["1", null]]],
  [KEY.venue, null, [["1", null]]],
  ["another", 3, []],
])(
  "messages of %s that are lost, %s of them, may be trades that the tape lacks",
  async (venue, count, holes) => {
    const market = told();
    newest().say({ type: "lost", channel: "trades", venue, count, reason: "the bridge has them no more" });
    await vi.advanceTimersByTimeAsync(40);
    expect([...market.holes.value].map(([trade, missing]) => [trade.trade_id, missing])).toEqual(holes);
  },
);
