import type { Bar, SeriesKey, Trade } from "../src/feed/protocol";

export const KEY: SeriesKey = { venue: "binance", instrument: "BTC-USDT", interval: "1m" };

/** The bar of a minute after 1970. */
export function aBar(minute: number, changed: Partial<Bar> = {}): Bar {
  return {
    ...KEY,
    start_ns: String(BigInt(minute) * 60_000_000_000n),
    open: "1",
    high: "2",
    low: "0.5",
    close: "1.5",
    volume: "3",
    buy_volume: "2",
    sell_volume: "1",
    vwap: "1.2",
    order_flow_imbalance: "0.333333333333333333",
    realised_volatility: "0.01414213562373095",
    trade_count: 4,
    missing: null,
    state: "final",
    revision: 0,
    seq: minute * 10,
    epoch: "log-0",
    last_trade_id: "0",
    ...changed,
  };
}

export function aTrade(number: number, at_ns = "0"): Trade {
  return {
    trade_id: String(number),
    price: "1.5",
    size: "2",
    aggressor: "buy",
    event_time_ns: at_ns,
    counts_for: ["open_close", "high_low", "volume"],
  };
}
