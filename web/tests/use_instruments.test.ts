import { expect, it } from "vitest";
import { shallowRef } from "vue";

import type { Instrument, Listing, SeriesKey } from "../src/feed/protocol";
import { useInstruments } from "../src/market/use_instruments";
import { KEY } from "./bars";

const listingOf = (instruments: readonly Instrument[]): Listing => ({
  version: 1,
  namespace: "demo",
  intervals: ["1m"],
  instruments,
  isWhole: true,
  hasOlderBars: true,
});

it("has the instruments of the venue that is looked at, and none before there is a list", () => {
  const listing = shallowRef<Listing | null>(null);
  const selection = shallowRef<SeriesKey | null>(KEY);
  const instruments = useInstruments({ listing, selection });
  expect(instruments.value).toEqual([]);
  listing.value = listingOf([
    KEY,
    { venue: "kraken", instrument: "ETH-USD" },
    { ...KEY, instrument: "ETH-USDT" },
  ]);
  expect(instruments.value).toEqual(["BTC-USDT", "ETH-USDT"]);
  selection.value = { ...KEY, venue: "kraken" };
  expect(instruments.value).toEqual(["ETH-USD"]);
});
