import { describe, expect, it } from "vitest";

import { EarlyUpdates } from "../src/market/early";
import { aBar } from "./bars";

describe("updates of bars that are not shown yet", () => {
  it("are taken once, oldest first, as far as history has come", () => {
    const early = new EarlyUpdates(10);
    for (const minute of [7, 3, 5]) early.add(aBar(minute));
    expect(early.takeFrom(aBar(4).start_ns)).toEqual([aBar(5), aBar(7)]);
    expect(early.takeFrom(aBar(0).start_ns)).toEqual([aBar(3)]);
    expect(early.takeFrom(aBar(0).start_ns)).toEqual([]);
  });

  it("are of each bar the newest, in whatever order they came", () => {
    const early = new EarlyUpdates(10);
    const newest = aBar(1, { seq: 9 });
    for (const bar of [aBar(1, { seq: 4 }), newest, aBar(1, { seq: 7 })]) early.add(bar);
    expect(early.takeFrom(aBar(0).start_ns)).toEqual([newest]);
  });

  it("are forgotten where there are too many, the bars heard of longest ago first", () => {
    const early = new EarlyUpdates(2);
    for (const minute of [1, 2, 1, 3]) early.add(aBar(minute));
    expect(early.takeFrom(aBar(0).start_ns)).toEqual([aBar(1), aBar(3)]);
  });
});
