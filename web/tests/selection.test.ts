import { describe, expect, it } from "vitest";

import { choose, fromAddress, settled, toAddress, unmet } from "../src/market/selection";

const listing = {
  namespace: "demo",
  intervals: ["1s", "1m", "1h"],
  instruments: [
    { venue: "binance", instrument: "ADA-USDT" },
    { venue: "binance", instrument: "BTC-USDT" },
    { venue: "kraken", instrument: "BTC-USD" },
  ],
  version: 1,
  isWhole: true,
  hasOlderBars: true,
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

  it("is not what comes to be listed later, unless the address named it", () => {
    const first = { ...listing, instruments: listing.instruments.slice(0, 1) };
    const chosen = choose(nothing, first) ?? nothing;
    expect(choose(settled(nothing, chosen), listing)?.instrument).toBe("ADA-USDT");
    const named = { ...nothing, venue: "kraken", instrument: "BTC-USD" };
    expect(choose(named, first)?.venue).toBe("binance");
    expect(choose(settled(named, chosen), listing)?.venue).toBe("kraken");
  });

  it("is on the venue, or of the instrument, that the address named alone, once that is listed", () => {
    const without = { ...listing, instruments: listing.instruments.slice(0, 2) };
    for (const named of [
      { ...nothing, instrument: "BTC-USD" },
      { ...nothing, venue: "kraken" },
    ]) {
      const standIn = choose(named, without) ?? nothing;
      expect(standIn.instrument).toBe("BTC-USDT");
      const wanted = settled(named, standIn);
      expect(unmet(wanted, standIn)).toBe(
        `${named.venue || named.instrument} has not traded yet. Until it does, this is binance BTC-USDT.`,
      );
      const chosen = choose(wanted, listing) ?? nothing;
      expect(settled(wanted, chosen)).toEqual({ venue: "kraken", instrument: "BTC-USD", interval: "1m" });
      expect(unmet(settled(wanted, chosen), chosen)).toBe("");
    }
  });

  it("says in words what the address names and is not there", () => {
    const wanted = { venue: "kraken", instrument: "DOGE-USD", interval: "7m" };
    const chosen = choose(wanted, listing);
    expect(chosen && unmet(wanted, chosen)).toBe(
      "kraken DOGE-USD has not traded yet. Until it does, this is kraken BTC-USD. There is no interval 7m: this is 1m.",
    );
    expect(chosen && unmet(chosen, chosen)).toBe("");
  });
});
