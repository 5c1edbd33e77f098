/** What the API says over /ws and REST: see docs/api.md. Amounts stay the exact decimal text that they came as. */

export interface Instrument {
  readonly venue: string;
  readonly instrument: string;
}

export interface SeriesKey extends Instrument {
  readonly interval: string;
}

export type BarState = "forming" | "final" | "revised";

export interface Bar extends SeriesKey {
  readonly start_ns: string;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
  /** Of the sizes whose aggressor bought, and sold; null where the server's state did not tell sides apart. */
  readonly buy_volume: string | null;
  readonly sell_volume: string | null;
  readonly vwap: string | null;
  /** (buy - sell) / (buy + sell); null where no side is known. */
  readonly order_flow_imbalance: string | null;
  /** Root of the sum of squared log returns from base bar to base bar; null where there are none. */
  readonly realised_volatility: string | null;
  readonly trade_count: number;
  readonly missing: number | null;
  readonly state: BarState;
  readonly revision: number;
  readonly seq: number;
  readonly epoch: string;
  /** Of the trade that gave the close. */
  readonly last_trade_id: string;
}

export interface Trade {
  readonly trade_id: string;
  readonly price: string;
  readonly size: string;
  readonly aggressor: string;
  readonly event_time_ns: string;
  /** What of a bar: any of open_close, high_low and volume. */
  readonly counts_for: readonly string[];
}

export interface Listing {
  /** Another one after each change of the list, as each heartbeat tells. */
  readonly version: number;
  readonly namespace: string;
  readonly intervals: readonly string[];
  readonly instruments: readonly Instrument[];
  /** Whether the server has loaded all that it knows. */
  readonly isWhole: boolean;
  /** Whether the server has bars that are older than those of a snapshot. */
  readonly hasOlderBars: boolean;
}

export type ServerMessage =
  | { type: "hello"; namespace: string; heartbeat_s: number; standstill: string | null }
  | ({ type: "list" } & Listing)
  | ({ type: "snapshot"; bars: readonly Bar[] } & SeriesKey)
  | ({ type: "update"; bar: Bar } & SeriesKey)
  | ({ type: "trade"; trade: Trade } & Instrument)
  | ({ type: "skipped"; count: number } & Instrument)
  /** Messages of a venue are lost: nobody knows whose trades are among them. */
  | { type: "lost"; venue: string }
  | { type: "heartbeat"; time_ns: string; list_version: number; standstill: string | null }
  | { type: "error"; code: string; reason: string; id: string | null }
  | { type: "other" };

export type ClientMessage =
  | { op: "list" }
  | ({ op: "subscribe" | "unsubscribe"; channel: "bars"; id?: string } & SeriesKey)
  | ({ op: "subscribe" | "unsubscribe"; channel: "trades"; id?: string } & Instrument);
