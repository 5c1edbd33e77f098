import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, type EffectScope } from "vue";

import { PAGE_BARS } from "../src/feed/history";
import type { Bar, Instrument, Trade } from "../src/feed/protocol";
import { BARS_KEPT } from "../src/market/series";
import { provisionalTrades, TRADES_SHOWN } from "../src/market/tape";
import { useMarket, type Market } from "../src/market/use_market";
import { aBar, aTrade, KEY } from "./bars";
import { newest, ServerEnd } from "./server_end";

const LISTING = {
  version: 1,
  namespace: "demo",
  intervals: [KEY.interval],
  instruments: [KEY],
  state: "ready",
  older_bars: true,
};
const OTHER = { venue: "another", instrument: "ETH-USDT" };
let scope: EffectScope;
let asked: string[];

/** A market that the server has greeted and told these bars. */
function told(bars: readonly Bar[]): Market {
  const market = scope.run(() => useMarket("ws://server/ws"));
  if (!market) throw new Error("the scope has ended");
  greet(bars);
  return market;
}

function greet(bars: readonly Bar[]): void {
  newest().say({ type: "hello", namespace: "demo", heartbeat_s: 5 });
  newest().say({ type: "list", ...LISTING });
  newest().say({ type: "snapshot", ...KEY, bars });
}

/** Bars of the minutes from one to another, as they come from the server. */
function trade(from: number, to: number): void {
  for (let minute = from; minute < to; minute += 1)
    newest().say({ type: "update", ...KEY, bar: aBar(minute) });
}

/** A trade of the series' instrument. */
function hear(trade: Trade): void {
  newest().say({ type: "trade", venue: KEY.venue, instrument: KEY.instrument, trade });
}

/** Ids of the trades that are shown, once they are. */
async function shownTrades(market: Market): Promise<readonly string[]> {
  await vi.advanceTimersByTimeAsync(40);
  return market.trades.value.map(({ trade_id }) => trade_id);
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
  it("are asked for once the server has some, though it had none when it began", () => {
    const market = told([aBar(9)]);
    newest().say({ type: "list", ...LISTING, older_bars: false });
    market.loadOlder();
    expect(asked).toEqual([]);
    newest().say({ type: "list", ...LISTING });
    market.loadOlder();
    expect(asked).toHaveLength(1);
  });

  it("that a reconnect has left in doubt are asked for again with the next heartbeat, until they come", async () => {
    const market = told([aBar(8), aBar(9)]);
    vi.stubGlobal("fetch", (address: string) => {
      asked.push(address);
      return Promise.resolve(new Response("", { status: 503 }));
    });
    newest().hangUp();
    market.reconnect();
    greet([aBar(9)]);
    await vi.waitFor(() => {
      expect(market.problem.value).toContain("503");
    });
    vi.stubGlobal("fetch", () =>
      Promise.resolve(Response.json({ bars: [aBar(8, { close: "7", seq: 900 })] })),
    );
    newest().say({ type: "heartbeat", time_ns: "1", list_version: 1 });
    await vi.waitFor(() => {
      expect(market.problem.value).toBe("");
    });
    expect(shown(market)).toBe(2);
    expect(market.bars.value[0]?.close).toBe("7");
    expect(asked).toHaveLength(1);
  });
});

describe("the list", () => {
  const lists = (): number =>
    newest().received.filter((sent) => JSON.stringify(sent) === '{"op":"list"}').length;
  const beat = (list_version: number): void => {
    newest().say({ type: "heartbeat", time_ns: "1", list_version });
    vi.advanceTimersByTime(0);
  };

  it("is asked for with the heartbeat that tells of a change, and with no other", () => {
    told([aBar(0)]);
    vi.advanceTimersByTime(0);
    expect(lists()).toBe(1);
    beat(1);
    expect(lists()).toBe(1);
    beat(2);
    expect(lists()).toBe(2);
    newest().say({ type: "list", ...LISTING, version: 2 });
    beat(2);
    expect(lists()).toBe(2);
  });
});

describe("the lag", () => {
  it("is that of the newest trade, not of one that was missed and comes late", async () => {
    vi.setSystemTime(50_000);
    const market = told([aBar(0)]);
    hear(aTrade(2, "49900000000"));
    expect(await shownTrades(market)).toEqual(["2"]);
    expect(market.lagMs.value).toBe(100);
    hear(aTrade(1, "10000000000"));
    expect(await shownTrades(market)).toEqual(["2", "1"]);
    expect(market.lagMs.value).toBe(100);
  });
});

describe("trades that are not heard", () => {
  const skip = (instrument: Instrument, count: number): void => {
    const { venue, instrument: name } = instrument;
    newest().say({ type: "skipped", channel: "trades", venue, instrument: name, count });
  };
  /** Behind which trades some are missing, and how many, once that is shown. */
  const holes = async (market: Market): Promise<[string, number | null][]> => {
    await vi.advanceTimersByTimeAsync(40);
    return [...market.holes.value].map(([{ trade_id }, count]) => [trade_id, count]);
  };

  it("are told where the server has skipped some of this instrument", async () => {
    const market = told([aBar(9)]);
    hear(aTrade(1));
    skip(OTHER, 7);
    expect(await holes(market)).toEqual([]);
    skip(KEY, 3);
    hear(aTrade(5));
    skip(KEY, 2);
    hear(aTrade(8));
    expect(await shownTrades(market)).toEqual(["8", "5", "1"]);
    expect(await holes(market)).toEqual([
      ["1", 3],
      ["5", 2],
    ]);
  });

  it("are told where the connection was lost, from then on", async () => {
    const market = told([aBar(9)]);
    hear(aTrade(1));
    newest().hangUp();
    expect(await holes(market)).toEqual([["1", null]]);
    market.reconnect();
    greet([aBar(9)]);
    hear(aTrade(5));
    expect(await holes(market)).toEqual([["1", null]]);
  });

  it("are another instrument's once that is chosen, and this one's in another interval", async () => {
    const market = told([aBar(9)]);
    newest().say({ type: "list", ...LISTING, intervals: ["1m", "5m"], instruments: [KEY, OTHER] });
    hear(aTrade(1));
    skip(KEY, 3);
    market.select({ interval: "5m" });
    expect(await holes(market)).toEqual([["1", 3]]);
    market.select(OTHER);
    expect(await holes(market)).toEqual([]);
  });
});

describe("a server that has no new bars", () => {
  const beat = (standing: object): void => {
    newest().say({ type: "heartbeat", time_ns: "1", list_version: 1, ...standing });
  };
  const AWAY = { state: "waiting", reason: "Kafka at there:9092: refused" };

  it("is told with its reason, while its trades go on, until it has some again", async () => {
    const market = told([aBar(9)]);
    beat(AWAY);
    hear(aTrade(1));
    expect(market.problem.value).toBe("No new bars come: Kafka at there:9092: refused.");
    expect(await shownTrades(market)).toEqual(["1"]);
    expect(shown(market)).toBe(1);
    beat({ state: "failed", reason: "the feed ended: out of memory" });
    expect(market.problem.value).toBe("No new bars come: the feed ended: out of memory.");
    beat({ state: "catching_up", reason: "1 partitions are still being read to their end" });
    expect(market.problem.value).toBe("");
    beat(AWAY);
    beat({ state: "ready", reason: null });
    expect(market.problem.value).toBe("");
  });

  it("is told from its greeting on, and no more once it is gone itself", () => {
    const market = told([aBar(9)]);
    newest().hangUp();
    market.reconnect();
    newest().say({ type: "hello", namespace: "demo", heartbeat_s: 5, ...AWAY });
    expect(market.problem.value).toContain("No new bars come");
    newest().hangUp();
    expect(market.problem.value).toBe("");
  });
});

describe("bars that do not come", () => {
  const forming = (minute: number): Bar => aBar(minute, { state: "forming", seq: minute * 10 + 1 });
  const at = (minute: number): string => aBar(minute).start_ns;
  const update = (bar: Bar): void => {
    newest().say({ type: "update", ...KEY, bar });
  };
  /** What the page says is wrong, one after the other, in so many seconds, in each of which the server does something. */
  const said = (market: Market, seconds: number, each?: (second: number) => void): string[] => {
    const all = Array.from({ length: seconds }, (_, second) => {
      each?.(second);
      newest().say({ type: "heartbeat", time_ns: "1", list_version: 1 });
      vi.advanceTimersByTime(1_000);
      return market.problem.value;
    });
    return all.filter((problem, second) => problem !== all[second - 1]);
  };

  it("are told by how far they are behind the trades, until they come", () => {
    const market = told([forming(9)]);
    hear(aTrade(1, at(10)));
    expect(said(market, 20)).toEqual(["", "Bars are less than 1 min behind the trades."]);
    hear(aTrade(2, at(13)));
    expect(said(market, 3)).toEqual(["Bars are 3 min behind the trades."]);
    update(forming(12));
    expect(said(market, 1)).toEqual([""]);
    expect(said(market, 20)).toEqual(["", "Bars are less than 1 min behind the trades."]);
    update(forming(13));
    expect(said(market, 30)).toEqual([""]);
  });

  it("are told where a server's are behind from the start", () => {
    const market = told([forming(9)]);
    const hearNext = (second: number): void => {
      hear(aTrade(second, at(310)));
    };
    expect(said(market, 20, hearNext)).toEqual(["", "Bars are 5 h behind the trades."]);
  });

  it("are told where they come steadily, and too late", () => {
    const market = told([forming(9)]);
    const both = (second: number): void => {
      hear(aTrade(second, at(101 + second)));
      update(forming(80 + second));
    };
    expect(said(market, 40, both)).toEqual(["", "Bars are 20 min behind the trades."]);
  });

  it.each([1, 3_600])(
    "are not missed while they follow in some seconds the trades of a market, which come each %i s",
    (between_s) => {
      const market = told([]);
      const start_ns = (second: number): string => String(BigInt(second * between_s) * 1_000_000_000n);
      const follow = (second: number): void => {
        hear(aTrade(second, start_ns(second)));
        if (second < 3) return;
        update({ ...forming(0), interval: "1s", start_ns: start_ns(second - 3), seq: second });
      };
      expect(said(market, 60, follow)).toEqual([""]);
    },
  );

  it("are not missed for a trade of the newest one, nor for one that closes none", () => {
    const market = told([forming(9)]);
    hear(aTrade(1, String(BigInt(at(10)) - 1n)));
    hear({ ...aTrade(2, at(50)), counts_for: ["volume"] });
    expect(said(market, 30)).toEqual([""]);
  });

  it("are not missed where it is not known when the newest one ends", () => {
    const market = told([{ ...forming(9), interval: "regular" }]);
    hear(aTrade(1, at(50)));
    expect(said(market, 30)).toEqual([""]);
  });

  it("are not told while the connection is lost, nor at once when it is back", () => {
    const market = told([forming(9)]);
    hear(aTrade(1, at(10)));
    said(market, 20);
    newest().hangUp();
    expect(market.problem.value).toBe("");
    market.reconnect();
    greet([forming(9)]);
    expect(said(market, 9)).toEqual([""]);
    expect(said(market, 9)).toEqual(["", "Bars are less than 1 min behind the trades."]);
  });
});

describe("the provisional price", () => {
  const forming = (last: number): Bar =>
    aBar(9, { state: "forming", last_trade_id: String(last), seq: last });
  const update = (bar: Bar): void => {
    newest().say({ type: "update", ...KEY, bar });
  };
  /** The trade whose price it is, once it is shown. */
  const provisional = async (market: Market): Promise<string | undefined> => {
    await vi.advanceTimersByTimeAsync(40);
    const [last] = provisionalTrades(market.trades.value, market.bars.value.at(-1), market.confirmed.value);
    return last?.trade_id;
  };
  const now = aBar(9).start_ns;

  it("is none of a trade that was heard before the connection was lost, though its bar forms still", async () => {
    const market = told([forming(1)]);
    hear(aTrade(2, now));
    expect(await provisional(market)).toBe("2");
    newest().hangUp();
    market.reconnect();
    greet([forming(7)]);
    expect(await provisional(market)).toBeUndefined();
    hear(aTrade(2, now)); // told again
    expect(await provisional(market)).toBeUndefined();
    hear(aTrade(8, now));
    expect(await provisional(market)).toBe("8");
  });

  it("is none while the bars go on and trades are not heard any more", async () => {
    const market = told([forming(1)]);
    hear(aTrade(2, now));
    update(forming(2));
    expect(await provisional(market)).toBe("2");
    update(forming(3));
    expect(await provisional(market)).toBeUndefined();
    hear(aTrade(4, now));
    expect(await provisional(market)).toBe("4");
  });

  it("stays through a change of an older bar, and through an older version of the newest", async () => {
    const market = told([aBar(8), forming(2)]);
    hear(aTrade(3, now));
    update(aBar(8, { state: "revised", revision: 1, seq: 90, last_trade_id: "0" }));
    update(forming(1));
    expect(await provisional(market)).toBe("3");
  });

  it("is found in a burst of more trades than are shown, whose bars come behind it", async () => {
    const market = told([forming(1)]);
    for (let number = 2; number < 3 * TRADES_SHOWN; number += 1) hear(aTrade(number, now));
    update(forming(2));
    expect(await provisional(market)).toBe(String(3 * TRADES_SHOWN - 1));
    expect(market.trades.value).toHaveLength(TRADES_SHOWN);
  });
});

describe("what is shown when the server begins anew", () => {
  it("stays while the server has not come to it", () => {
    const market = told([aBar(9)]);
    newest().say({ type: "list", ...LISTING, state: "starting", instruments: [OTHER] });
    expect(market.selection.value).toEqual(KEY);
    expect(market.problem.value).toBe("");
    expect(shown(market)).toBe(1);
  });

  it("is the same in another interval while the server has not come to it, and after", () => {
    const market = told([aBar(9)]);
    const list = { ...LISTING, intervals: ["1m", "5m"] };
    newest().say({ type: "list", ...list, state: "starting", instruments: [OTHER] });
    market.select({ interval: "5m" });
    expect(market.selection.value).toEqual({ ...KEY, interval: "5m" });
    expect(market.problem.value).toBe("");
    newest().say({ type: "list", ...list, instruments: [OTHER, KEY] });
    expect(market.selection.value).toEqual({ ...KEY, interval: "5m" });
  });

  it("is in another interval what stands in for what is wanted, until that is there", () => {
    const market = told([aBar(9)]);
    const list = { ...LISTING, intervals: ["1m", "5m"] };
    newest().say({ type: "list", ...list, instruments: [OTHER] });
    market.select({ interval: "5m" });
    expect(market.selection.value).toEqual({ ...OTHER, interval: "5m" });
    newest().say({ type: "list", ...list, instruments: [OTHER, KEY] });
    expect(market.selection.value).toEqual({ ...KEY, interval: "5m" });
  });

  it("gives way to what is chosen", () => {
    const market = told([aBar(9)]);
    newest().say({ type: "list", ...LISTING, state: "starting", instruments: [OTHER] });
    market.select({ venue: OTHER.venue });
    expect(market.selection.value).toEqual({ ...OTHER, interval: KEY.interval });
    newest().say({ type: "list", ...LISTING, instruments: [OTHER, KEY] });
    expect(market.selection.value).toEqual({ ...OTHER, interval: KEY.interval });
    expect(market.problem.value).toBe("");
  });

  it("gives way to what there is when the server has loaded all", () => {
    const market = told([aBar(9)]);
    newest().say({ type: "list", ...LISTING, instruments: [OTHER] });
    expect(market.selection.value).toEqual({ ...OTHER, interval: KEY.interval });
    expect(market.problem.value).toContain("has not traded yet");
  });

  it("is forgotten, with its trades, when the server is one of another run", async () => {
    const market = told([aBar(9)]);
    hear(aTrade(1));
    expect(await shownTrades(market)).toEqual(["1"]);
    newest().hangUp();
    market.reconnect();
    newest().say({ type: "hello", namespace: "live", heartbeat_s: 5 });
    expect(await shownTrades(market)).toEqual([]);
    expect(market.lagMs.value).toBeNull();
    expect(market.bars.value).toEqual([]);
    expect(market.selection.value).toBeNull();
    newest().say({ type: "list", ...LISTING, namespace: "live" });
    newest().say({ type: "snapshot", ...KEY, bars: [aBar(3)] });
    expect(shown(market)).toBe(1);
    expect(market.selection.value).toEqual(KEY);
  });

  it("stays through a reconnect to the same run", async () => {
    const market = told([aBar(9)]);
    hear(aTrade(1));
    newest().hangUp();
    market.reconnect();
    newest().say({ type: "hello", namespace: "demo", heartbeat_s: 5 });
    expect(await shownTrades(market)).toEqual(["1"]);
    expect(shown(market)).toBe(1);
    expect(market.selection.value).toEqual(KEY);
  });
});

describe("what is shown", () => {
  it("goes on while the viewer's clock is set back", async () => {
    vi.setSystemTime(50_000_000);
    const market = told([aBar(0)]);
    hear(aTrade(1, "1"));
    expect(await shownTrades(market)).toEqual(["1"]);
    vi.setSystemTime(1_000);
    trade(1, 3);
    hear(aTrade(2, "900000000"));
    expect(await shownTrades(market)).toEqual(["2", "1"]);
    expect(market.lagMs.value).toBe(100);
    expect(shown(market)).toBe(3);
  });
});

describe("the bars that are shown", () => {
  it("are the same list until a frame has passed, however many come", () => {
    const market = told([aBar(0)]);
    shown(market);
    const before = market.bars.value;
    trade(1, 100);
    expect(market.bars.value).toBe(before);
    expect(shown(market)).toBe(100);
    expect(before).toEqual([aBar(0)]);
  });

  it("are gone at once when another series is chosen, and none of the former one comes after", () => {
    const market = told([aBar(0)]);
    newest().say({ type: "list", ...LISTING, intervals: ["1m", "1h"] });
    trade(1, 3);
    market.select({ interval: "1h" });
    expect(market.bars.value).toEqual([]);
    expect(shown(market)).toBe(0);
  });

  it("are many more than are kept only while one looks at older ones", () => {
    const market = told([aBar(0)]);
    const many = BARS_KEPT + PAGE_BARS + 1;
    market.keep(Infinity);
    trade(1, many);
    expect(shown(market)).toBe(many);
    market.keep(100);
    trade(many, many + 1);
    expect(shown(market)).toBe(BARS_KEPT);
  });
});
