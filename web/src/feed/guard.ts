/** Turns what came over the network into typed values, or says which field is wrong. */

import type { Bar, BarState, Instrument, Listing, SeriesKey, ServerMessage, Trade } from "./protocol";

/** The server sent something that is not in the protocol. */
export class ProtocolError extends Error {}

type Fields = Record<string, unknown>;

const DECIMAL = /^-?\d+(\.\d+)?$/;
const TIME = /^-?\d+$/;
const STATES: readonly string[] = ["forming", "final", "revised"];
/** Of the server's view of bars: it reads none on. */
const STANDING_STILL: readonly unknown[] = ["waiting", "failed"];

export function parseMessage(data: unknown): ServerMessage {
  const fields = object(typeof data === "string" ? parseJson(data) : data, "message");
  switch (fields.type) {
    case "hello":
      return {
        type: "hello",
        namespace: text(fields, "namespace"),
        heartbeat_s: number(fields, "heartbeat_s"),
        standstill: standstill(fields),
      };
    case "list":
      return { type: "list", ...listing(fields) };
    case "snapshot":
      return { type: "snapshot", ...series(fields), bars: list(fields, "bars").map(bar) };
    case "update":
      return { type: "update", ...series(fields), bar: bar(fields.bar) };
    case "trade":
      return { type: "trade", ...instrument(fields), trade: trade(fields.trade) };
    case "skipped":
      return { type: "skipped", ...instrument(fields), count: number(fields, "count") };
    case "lost":
      return { type: "lost", venue: text(fields, "venue") };
    case "heartbeat":
      return {
        type: "heartbeat",
        time_ns: matching(fields, "time_ns", TIME),
        list_version: number(fields, "list_version"),
        standstill: standstill(fields),
      };
    case "error":
      return {
        type: "error",
        code: text(fields, "code"),
        reason: text(fields, "reason"),
        id: typeof fields.id === "string" ? fields.id : null,
      };
    default: // a newer server may say more than this page knows
      return { type: "other" };
  }
}

/** The answer of GET /api/v1/bars. */
export function parseBars(data: unknown): Bar[] {
  return list(object(data, "answer"), "bars").map(bar);
}

/** The reason in an error of the API; null where the answer is not one of the API's, but of a proxy before it. */
export function parseReason(body: string): string | null {
  try {
    return text(object(object(parseJson(body), "answer").error, "error"), "reason");
  } catch {
    return null;
  }
}

function parseJson(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw new ProtocolError(`not JSON: ${data.slice(0, 80)}`);
  }
}

function bar(value: unknown): Bar {
  const fields = object(value, "bar");
  return {
    ...series(fields),
    start_ns: matching(fields, "start_ns", TIME),
    open: decimal(fields, "open"),
    high: decimal(fields, "high"),
    low: decimal(fields, "low"),
    close: decimal(fields, "close"),
    volume: decimal(fields, "volume"),
    buy_volume: decimalOrNull(fields, "buy_volume"),
    sell_volume: decimalOrNull(fields, "sell_volume"),
    vwap: decimalOrNull(fields, "vwap"),
    order_flow_imbalance: decimalOrNull(fields, "order_flow_imbalance"),
    realised_volatility: decimalOrNull(fields, "realised_volatility"),
    trade_count: number(fields, "trade_count"),
    missing: fields.missing === null ? null : number(fields, "missing"),
    state: state(fields),
    revision: number(fields, "revision"),
    seq: number(fields, "seq"),
    epoch: text(fields, "epoch"),
    last_trade_id: text(fields, "last_trade_id"),
  };
}

function trade(value: unknown): Trade {
  const fields = object(value, "trade");
  return {
    trade_id: text(fields, "trade_id"),
    price: decimal(fields, "price"),
    size: decimal(fields, "size"),
    aggressor: text(fields, "aggressor"),
    event_time_ns: matching(fields, "event_time_ns", TIME),
    counts_for: list(fields, "counts_for").map(String),
  };
}

function listing(fields: Fields): Listing {
  return {
    version: number(fields, "version"),
    namespace: text(fields, "namespace"),
    intervals: list(fields, "intervals").map(String),
    instruments: list(fields, "instruments").map((value) => instrument(object(value, "instrument"))),
    isWhole: text(fields, "state") === "ready",
    hasOlderBars: fields.older_bars === true,
  };
}

/** Why no new bars come to the server; null while they do. */
function standstill(fields: Fields): string | null {
  return STANDING_STILL.includes(fields.state) ? text(fields, "reason") : null;
}

function instrument(fields: Fields): Instrument {
  return { venue: text(fields, "venue"), instrument: text(fields, "instrument") };
}

function series(fields: Fields): SeriesKey {
  return { ...instrument(fields), interval: text(fields, "interval") };
}

function state(fields: Fields): BarState {
  const value = text(fields, "state");
  if (!STATES.includes(value)) throw new ProtocolError(`state: ${value} is none of ${STATES.join(", ")}`);
  return value as BarState;
}

function object(value: unknown, name: string): Fields {
  if (typeof value !== "object" || value === null) throw new ProtocolError(`${name}: an object was expected`);
  return value as Fields;
}

function list(fields: Fields, name: string): unknown[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new ProtocolError(`${name}: a list was expected`);
  return value;
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new ProtocolError(`${name}: text was expected`);
  return value;
}

function number(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== "number") throw new ProtocolError(`${name}: a number was expected`);
  return value;
}

function matching(fields: Fields, name: string, form: RegExp): string {
  const value = text(fields, name);
  if (!form.test(value)) throw new ProtocolError(`${name}: ${value.slice(0, 40)} has the wrong form`);
  return value;
}

function decimal(fields: Fields, name: string): string {
  return matching(fields, name, DECIMAL);
}

function decimalOrNull(fields: Fields, name: string): string | null {
  return fields[name] === null ? null : decimal(fields, name);
}
