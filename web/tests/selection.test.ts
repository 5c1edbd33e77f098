import { describe, expect, it } from "vitest";

import { choose, fromAddress, toAddress } from "../src/market/selection";

const listing = {
  namespace: "demo",
  intervals: ["1s", "1m", "1h"],
  instruments: [
    { venue: "binance", instrument: "ADA-USDT" },
    { venue: "binance", instrument: "BTC-USDT" },
    { venue: "kraken", instrument: "BTC-USD" },
  ],
};
const nothing = { venue: "", instrument: "", interval: "" };

describe("the series one looks at", () => {
  it("is what the address names", () => {
    const wanted = { venue: "kraken", instrument: "BTC-USD", interval: "1h" };
    expect(choose(fromAddress(toAddress(wanted)), listing)).toEqual(wanted);
  });

  it("is the bitcoin minute where the address names nothing", () => {
    expect(choose(nothing, listing)).toEqual({ venue: "binance", instrument: "BTC-USDT", interval: "1m" });
  });

  it("keeps what is listed when another venue is chosen", () => {
    const wanted = { venue: "kraken", instrument: "ADA-USDT", interval: "1s" };
    expect(choose(wanted, listing)).toEqual({ venue: "kraken", instrument: "BTC-USD", interval: "1s" });
  });

  it("is none while nothing is listed", () => {
    expect(choose(nothing, { ...listing, instruments: [] })).toBeNull();
  });
});
