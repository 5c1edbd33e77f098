import { describe, expect, it } from "vitest";

import { compareDecimals, grouped, mostPlaces, padded, ratioText, shortened, vwapText } from "../src/decimal";

describe("amounts", () => {
  it("are compared exactly, beyond what a double holds", () => {
    expect(compareDecimals("99999999999999999999.000000000000000001", "99999999999999999999")).toBe(1);
    expect(compareDecimals("-0.1", "0.1")).toBe(-1);
    expect(compareDecimals("1.50", "1.5")).toBe(0);
  });

  it("stand under each other with zeros added and no digit changed", () => {
    expect(["80019.8", "80023.98", "5"].map((price) => padded(price, 2))).toEqual([
      "80019.80",
      "80023.98",
      "5.00",
    ]);
    expect(padded("1.234", 2)).toBe("1.234");
    expect(mostPlaces(["1", "1.25", "0.5"])).toBe(2);
  });

  it("are marked where digits are left out", () => {
    expect(shortened("0.333333333333333333", 4)).toBe("0.3333…");
    expect(shortened("0.25", 4)).toBe("0.25");
  });

  it("are told as a ratio with so many places", () => {
    expect(ratioText("-0.333333333333333333", 3)).toBe("-0.333…");
    expect(ratioText("1", 3)).toBe("1.000");
    expect(ratioText(null, 3)).toBe("–");
  });

  it("are told as VWAP with two places more than prices, eighteen at most", () => {
    expect(vwapText("80213.333333333333333333", 2)).toBe("80213.3333…");
    expect(vwapText("80213.3", 2)).toBe("80213.3000");
    expect(vwapText("105.666666666666666667", 18)).toBe("105.666666666666666667");
    expect(vwapText(null, 2)).toBe("–");
  });

  it("have thin spaces between thousands", () => {
    expect(grouped(1_234_567)).toBe("1\u2009234\u2009567");
  });
});
