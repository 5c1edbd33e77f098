import { describe, expect, it } from "vitest";

import { appended, changes, needed } from "../src/chart/market_chart";
import { candle, markers, precision, PriceLabels, volume, vwap } from "../src/chart/points";
import { dark } from "../src/chart/theme";
import type { Bar } from "../src/feed/protocol";
import { aBar } from "./bars";

describe("what is drawn anew", () => {
  const drawn = [aBar(1), aBar(2)];

  it("is what is new or has changed at the end", () => {
    const later = aBar(2, { close: "9", seq: 90 });
    expect(changes(drawn, drawn.with(1, later))).toEqual([later]);
    expect(changes(drawn, [...drawn, aBar(3), aBar(4)])).toEqual([aBar(3), aBar(4)]);
    expect(changes(drawn, [...drawn])).toEqual([]);
  });

  it("is everything where bars came before or between, or where there was nothing", () => {
    expect(changes(drawn, [aBar(0), ...drawn])).toBeNull();
    expect(changes([aBar(1), aBar(3)], [aBar(1), aBar(2), aBar(3)])).toBeNull();
    expect(changes([], drawn)).toBeNull();
    expect(changes(drawn, drawn.slice(1))).toBeNull();
  });

  it("is everything where the oldest were dropped as others came", () => {
    expect(changes(drawn, [aBar(2), aBar(3)])).toBeNull();
  });

  it("is everything where too many have changed to draw them one by one", () => {
    const many = Array.from({ length: 51 }, (_, minute) => aBar(minute));
    expect(
      changes(
        many,
        many.map((bar) => ({ ...bar })),
      ),
    ).toBeNull();
    expect(changes(many.slice(0, 1), many)).toHaveLength(50);
  });
});

describe("a bar that is not wholly drawn", () => {
  const blank = aBar(2, { open: "0", high: "0", low: "0", close: "0" });
  const drawn = [aBar(1), aBar(2), aBar(3)];

  it("has all drawn anew where it is not the newest, be it blank before or from now on", () => {
    expect(changes(drawn, drawn.with(1, blank))).toBeNull();
    expect(changes(drawn.with(1, blank), drawn)).toBeNull();
    expect(changes(drawn, drawn.with(1, aBar(2, { vwap: null })))).toBeNull();
  });

  it("is drawn alone where it is the newest, or where it comes", () => {
    const former = drawn.slice(0, 2);
    expect(changes(former, former.with(1, blank))).toEqual([blank]);
    expect(changes(former, [...former, aBar(3, { vwap: null })])).toEqual([aBar(3, { vwap: null })]);
  });
});

describe("the bars behind the newest one drawn", () => {
  const drawn = [aBar(4), aBar(5)];

  it("are counted, whatever comes before", () => {
    expect(appended(drawn, [aBar(3), ...drawn, aBar(6), aBar(7)])).toBe(2);
    expect(appended(drawn, drawn)).toBe(0);
  });

  it("are not, where that one is not there any more", () => {
    expect(appended(drawn, [aBar(6)])).toBeNull();
    expect(appended([], drawn)).toBeNull();
  });
});

describe("the bars that the screen needs", () => {
  it("are those from its left edge to the newest, and some before", () => {
    expect(needed({ from: 900.5, to: 1_005 }, 1_000)).toBe(160);
  });

  it("are all while the newest one is not on it", () => {
    expect(needed({ from: 900, to: 998.5 }, 1_000)).toBe(Infinity);
  });
});

describe("a bar as it is drawn", () => {
  it("stands at the second that it starts", () => {
    expect(candle(aBar(2), dark)).toMatchObject({ time: 120, open: 1, high: 2, low: 0.5, close: 1.5 });
  });

  it("is hollow while it forms", () => {
    expect(candle(aBar(2, { state: "forming" }), dark)).toMatchObject({
      color: dark.hollow,
      borderColor: dark.up,
    });
  });

  it("has no candle where all of its trades were cancelled", () => {
    const none = { open: "0", high: "0", low: "0", close: "0", volume: "0", vwap: null, trade_count: 0 };
    expect(candle(aBar(2, none), dark)).toEqual({ time: 120 });
  });

  it("has no candle where only some of its prices are there", () => {
    expect(candle(aBar(2, { open: "0", close: "0" }), dark)).toEqual({ time: 120 });
    expect(candle(aBar(2, { high: "0", low: "0" }), dark)).toEqual({ time: 120 });
  });

  it("without volume has no VWAP", () => {
    expect(vwap(aBar(2, { volume: "0", vwap: null }))).toEqual({ time: 120 });
  });

  it("has a dot above it once it is revised, and a square below while trades are known to be missing", () => {
    const marks = (changed: Partial<Bar>): string[] =>
      markers(aBar(2, changed), dark).map(
        ({ position, shape, time }) => `${shape} ${position} ${String(time)}`,
      );
    expect(marks({ missing: 0 })).toEqual([]);
    expect(marks({ missing: null })).toEqual([]);
    expect(marks({ state: "revised" })).toEqual(["circle aboveBar 120"]);
    expect(marks({ missing: 1 })).toEqual(["square belowBar 120"]);
    expect(marks({ missing: 7, state: "revised" })).toEqual(["circle aboveBar 120", "square belowBar 120"]);
  });

  it("has the colour of its exact prices, also where they are the same double", () => {
    const falls = aBar(2, { open: "1.00000000000000000002", close: "1.00000000000000000001", low: "0.9" });
    expect(Number(falls.open)).toBe(Number(falls.close));
    const { down } = dark;
    expect(candle(falls, dark)).toMatchObject({ color: down, borderColor: down, wickColor: down });
    expect(volume(falls, dark).color).toBe(dark.downVolume);
  });

  it("has its volume in the colour of its direction", () => {
    expect(volume(aBar(2), dark)).toEqual({ time: 120, value: 3, color: dark.upVolume });
    expect(volume(aBar(2, { open: "1.6" }), dark).color).toBe(dark.downVolume);
  });
});

describe("labels of the price axis", () => {
  it("have the places of the prices: at most 8, or those of 5 digits of a small one, which are 12 at most", () => {
    const of = (high: string, low: string): number => precision([aBar(1, { high, low })]);
    expect(of("61000.25", "61000.1")).toBe(2);
    expect(of("1.123456789", "0.5")).toBe(8);
    expect(of("0.000000012", "0.000000011")).toBe(9);
    expect(of("0.0000123456", "0.0000123455")).toBe(9);
    expect(of("0.0000000000123", "0.0000000000122")).toBe(12);
    expect(of("0.1234567891", "0")).toBe(8);
    expect(precision([aBar(1, { low: "0.000000011" }), aBar(2, { high: "0", low: "0" })])).toBe(9);
    expect(precision([])).toBe(0);
  });

  it("have all digits of a price that was told, and no others", () => {
    const labels = new PriceLabels();
    labels.digits = 2;
    const exact = "12345678901234567.123456789";
    labels.tell("close", exact);
    expect(labels.of(Number(exact))).toBe(exact);
    labels.tell("close", "0.1");
    expect(labels.of(0.1)).toBe("0.10");
    expect(labels.of(0.125001)).toBe("0.13");
    labels.tell("close", undefined);
    expect(labels.of(2)).toBe("2.00");
  });
});
