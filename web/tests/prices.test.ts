import { describe, expect, it } from "vitest";

import { direction, lastClose, priceText } from "../src/prices";
import { aBar } from "./bars";

const NONE = { open: "0", high: "0", low: "0", close: "0" };

describe("prices of a bar", () => {
  it("are told with the places of their column, and their direction", () => {
    expect(priceText(aBar(1), "low", 2)).toBe("0.50");
    expect(direction(aBar(1))).toBe("up");
    expect(direction(aBar(1, { close: "1" }))).toBe("up");
    expect(direction(aBar(1, { close: "0.9" }))).toBe("down");
  });

  it("are a dash with no direction where no trade counts for them", () => {
    expect(priceText(aBar(1, NONE), "close", 2)).toBe("–");
    expect(direction(aBar(1, NONE))).toBeNull();
  });

  it("are each told where trades count for some of them alone", () => {
    const ranged = aBar(1, { open: "0", close: "0" });
    expect(priceText(ranged, "open", 2)).toBe("–");
    expect(priceText(ranged, "high", 2)).toBe("2.00");
    expect(direction(ranged)).toBeNull();
    const opened = aBar(1, { high: "0", low: "0" });
    expect(priceText(opened, "low", 2)).toBe("–");
    expect(priceText(opened, "close", 2)).toBe("1.50");
    expect(direction(opened)).toBe("up");
    expect(lastClose([opened, ranged])).toBe("1.5");
  });
});

describe("the last close", () => {
  it("is that of the newest bar that has one", () => {
    expect(lastClose([aBar(1, { close: "7" }), aBar(2, NONE)])).toBe("7");
    expect(lastClose([aBar(2, NONE)])).toBeUndefined();
    expect(lastClose([])).toBeUndefined();
  });
});
