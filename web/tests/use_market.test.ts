import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, type EffectScope } from "vue";

import { PAGE_BARS } from "../src/feed/history";
import type { Bar } from "../src/feed/protocol";
import { BARS_KEPT } from "../src/market/series";
import { useMarket, type Market } from "../src/market/use_market";
import { aBar, KEY } from "./bars";
import { newest, ServerEnd } from "./server_end";

const LISTING = { namespace: "demo", intervals: [KEY.interval], instruments: [KEY] };
let scope: EffectScope;
let asked: string[];

/** A market that the server has greeted and told these bars. */
function told(history: string, bars: readonly Bar[]): Market {
  const market = scope.run(() => useMarket("ws://server/ws"));
  if (!market) throw new Error("the scope has ended");
  greet(history, bars);
  return market;
}

function greet(history: string, bars: readonly Bar[]): void {
  newest().say({ type: "hello", namespace: "demo", heartbeat_s: 5, history });
  newest().say({ type: "list", ...LISTING });
  newest().say({ type: "snapshot", ...KEY, bars });
}

/** Bars of the minutes from one to another, as they come from the server. */
function trade(from: number, to: number): void {
  for (let minute = from; minute < to; minute += 1)
    newest().say({ type: "update", ...KEY, bar: aBar(minute) });
}

/** How many bars are shown, once they are. */
function shown(market: Market): number {
  vi.advanceTimersByTime(40);
  return market.bars.value.length;
}

beforeEach(() => {
  vi.useFakeTimers();
  const page = { location: { search: "" }, history: { replaceState: vi.fn() } };
  vi.stubGlobal("window", Object.assign(new EventTarget(), page));
  vi.stubGlobal("WebSocket", ServerEnd);
  asked = [];
  vi.stubGlobal("fetch", (address: string) => {
    asked.push(address);
    return Promise.resolve(Response.json({ bars: [] }));
  });
  ServerEnd.opened = [];
  scope = effectScope();
});

afterEach(() => {
  scope.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("older bars", () => {
  it("are asked for where Postgres has them", () => {
    told("postgres", [aBar(9)]).loadOlder();
    expect(asked).toHaveLength(1);
  });

  it("are asked for where the server, just begun, does not know yet whether there are some", () => {
    const market = told("postgres", [aBar(9)]);
    newest().hangUp();
    market.reconnect();
    greet("unknown", [aBar(9)]);
    market.loadOlder();
    expect(asked).toHaveLength(1);
  });

  it("are not asked for where the topics are all there is", () => {
    told("topic", [aBar(9)]).loadOlder();
    expect(asked).toEqual([]);
  });
});

describe("the bars that are shown", () => {
  it("are the same list until a frame has passed, however many come", () => {
    const market = told("postgres", [aBar(0)]);
    shown(market);
    const before = market.bars.value;
    trade(1, 100);
    expect(market.bars.value).toBe(before);
    expect(shown(market)).toBe(100);
    expect(before).toEqual([aBar(0)]);
  });

  it("are gone at once when another series is chosen, and none of the former one comes after", () => {
    const market = told("postgres", [aBar(0)]);
    newest().say({ type: "list", ...LISTING, intervals: ["1m", "1h"] });
    trade(1, 3);
    market.select({ interval: "1h" });
    expect(market.bars.value).toEqual([]);
    expect(shown(market)).toBe(0);
  });

  it("are many more than are kept only while one looks at older ones", () => {
    const market = told("postgres", [aBar(0)]);
    const many = BARS_KEPT + PAGE_BARS + 1;
    market.keep(Infinity);
    trade(1, many);
    expect(shown(market)).toBe(many);
    market.keep(100);
    trade(many, many + 1);
    expect(shown(market)).toBe(BARS_KEPT);
  });
});
