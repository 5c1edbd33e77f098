import { describe, expect, it } from "vitest";

import { duration } from "../src/duration";
import { delayMs } from "../src/feed/backoff";
import { compareTimes, dateAndTime, nanoseconds, seconds, timeOfDay } from "../src/time";

describe("times", () => {
  it("are shown in UTC", () => {
    expect(dateAndTime("1723161240123456789")).toBe("2024-08-08 23:54:00");
    expect(timeOfDay("1723161240123456789")).toBe("23:54:00.123");
    expect(seconds("1723161240000000000")).toBe(1_723_161_240);
    expect(nanoseconds(1_723_161_240)).toBe("1723161240000000000");
  });

  it("are compared to the nanosecond, before 1970 too", () => {
    expect(compareTimes("1723161240000000001", "1723161240000000000")).toBe(1);
    expect(compareTimes("-2", "-10")).toBe(1);
    expect(compareTimes("999", "1000")).toBe(-1);
  });

  it.each([
    [35, "35 ms"],
    [4_210, "4.2 s"],
    [-1_270, "-1.3 s"],
    [180_000, "3 min"],
    [800 * 86_400_000, "800 d"],
  ])("a lag of %i ms is shown as %s", (ms, shown) => {
    expect(duration(ms)).toBe(shown);
  });
});

describe("the pause before a reconnect", () => {
  it("doubles up to ten seconds, and is spread", () => {
    expect([1, 2, 3, 9].map((failures) => delayMs(failures, 1))).toEqual([250, 500, 1_000, 10_000]);
    expect(delayMs(1, 0)).toBe(125);
  });
});
