import { describe, expect, it } from "vitest";

import { parseMessage, ProtocolError } from "../src/feed/guard";
import { aBar, aTrade, KEY } from "./bars";

describe("messages of the server", () => {
  it("are read as what they say", () => {
    const update = { type: "update", ...KEY, bar: aBar(3) };
    expect(parseMessage(JSON.stringify(update))).toEqual(update);
    const traded = { type: "trade", venue: KEY.venue, instrument: KEY.instrument, trade: aTrade(1) };
    expect(parseMessage(JSON.stringify(traded))).toEqual(traded);
  });

  it("of a kind that this page does not know are passed over", () => {
    expect(parseMessage('{"type":"fireworks"}')).toEqual({ type: "other" });
  });

  it.each([
    ["not JSON", "{", "not JSON: {"],
    [
      "a price that is a number",
      JSON.stringify({ type: "update", ...KEY, bar: { ...aBar(1), open: 1.5 } }),
      "open: text was expected",
    ],
    [
      "a price with an exponent",
      JSON.stringify({ type: "update", ...KEY, bar: { ...aBar(1), low: "1e5" } }),
      "low: 1e5 has the wrong form",
    ],
    [
      "an unknown state",
      JSON.stringify({ type: "update", ...KEY, bar: { ...aBar(1), state: "odd" } }),
      "state: odd is none of forming, final, revised",
    ],
    ["no bars", JSON.stringify({ type: "snapshot", ...KEY }), "bars: a list was expected"],
  ])("with %s are refused by name", (_, message, reason) => {
    expect(() => parseMessage(message)).toThrow(new ProtocolError(reason));
  });
});
