import { describe, expect, it } from "vitest";

import type { Trade } from "../src/feed/protocol";
import { confirmsAll, heard, provisionalTrades, TRADES_KEPT, withHole, type Holes } from "../src/market/tape";
import { aBar, aTrade } from "./bars";

const tapeOf = (numbers: readonly number[]): readonly Trade[] =>
  numbers.reduce<readonly Trade[]>((tape, number) => heard(tape, aTrade(number)), []);

describe("the tape", () => {
  it("has the newest trade first", () => {
    expect(tapeOf([1, 2, 3]).map(({ trade_id }) => trade_id)).toEqual(["3", "2", "1"]);
  });

  it("has a trade once that is told again", () => {
    expect(tapeOf([1, 2, 3, 1, 2, 4]).map(({ trade_id }) => trade_id)).toEqual(["4", "3", "2", "1"]);
  });

  it("has both trades of an id that comes again more than a minute later, from a venue that counts anew", () => {
    const tape = [aTrade(1, "0"), aTrade(1, "60000000000"), aTrade(1, "60000000001")].reduce(heard, []);
    expect(tape.map(({ event_time_ns }) => event_time_ns)).toEqual(["60000000001", "0"]);
  });

  it("has a trade that was missed at its place in time, and the newest stays first", () => {
    const ids = [aTrade(1, "10"), aTrade(3, "30"), aTrade(2, "20"), aTrade(0, "9")]
      .reduce(heard, [])
      .map(({ trade_id }) => trade_id);
    expect(ids).toEqual(["3", "2", "1", "0"]);
  });

  it("loses no newer trade to one that is older than all of a full tape", () => {
    const full = Array.from({ length: TRADES_KEPT }, (_, i) => aTrade(i, String(100 + i))).reduce(heard, []);
    expect(heard(full, aTrade(999, "1"))).toEqual(full);
  });

  it("forgets the oldest", () => {
    const tape = tapeOf(Array.from({ length: TRADES_KEPT + 40 }, (_, i) => i));
    expect(tape).toHaveLength(TRADES_KEPT);
    expect(tape.at(-1)?.trade_id).toBe("40");
  });
});

describe("a hole in the tape", () => {
  const tape = tapeOf([1, 2]);
  const [last, first] = tape;
  /** What is known of the size after so many were missed, one hole after the other. */
  const size = (...counts: readonly (number | null)[]): unknown => {
    const holes = counts.reduce<Holes>((found, count) => withHole(found, tape, count), new Map());
    return [...holes.values()];
  };

  it("is behind the newest trade, and stays there as others come, until that trade is forgotten", () => {
    const holes = withHole(new Map(), tape.slice(1), null);
    expect([...withHole(holes, tape, 5)]).toEqual([
      [first, null],
      [last, 5],
    ]);
    expect([...withHole(holes, tape.slice(0, 1), 5)]).toEqual([[last, 5]]);
  });

  it("is as large as all that were not heard there, or of a size that is not known", () => {
    expect(size(5, 3)).toEqual([8]);
    expect(size(null)).toEqual([null]);
    expect(size(5, null)).toEqual([null]);
    expect(size(null, 5)).toEqual([null]);
  });

  it("is none where nothing was heard before it", () => {
    expect([...withHole(new Map(), [], 5)]).toEqual([]);
  });
});

describe("the provisional price", () => {
  const bar = aBar(2, { state: "forming" });
  const final = aBar(2);

  it("is none of a trade that a bar has which forms no more, and that of one behind it", () => {
    const tape = [aTrade(1, "179999999999")];
    expect(provisionalTrades(tape, bar)).toEqual(tape);
    expect(provisionalTrades(tape, final)).toEqual([]);
    expect(provisionalTrades(tape, aBar(2, { state: "revised" }))).toEqual([]);
    const behind = [aTrade(1, aBar(3).start_ns)];
    expect(provisionalTrades(behind, final)).toEqual(behind);
  });

  it("is that of a trade in the newest bar where its length is not known", () => {
    const tape = [aTrade(1, final.start_ns)];
    expect(provisionalTrades(tape, { ...final, interval: "nyse" })).toEqual(tape);
  });

  it("is that of a trade at or after the start of the newest bar", () => {
    const tape = [aTrade(1, bar.start_ns)];
    expect(provisionalTrades(tape, bar)).toEqual(tape);
    expect(provisionalTrades(tape, undefined)).toEqual(tape);
  });

  it("is that of the newest trade that closes a bar, not of an odd lot", () => {
    const oddLot = { ...aTrade(2, aBar(4).start_ns), counts_for: ["volume"] };
    const roundLot = aTrade(1, bar.start_ns);
    expect(provisionalTrades([oddLot, roundLot], bar)).toEqual([roundLot]);
    expect(provisionalTrades([oddLot], undefined)).toEqual([]);
    expect(provisionalTrades([oddLot, aTrade(1, aBar(1).start_ns)], bar)).toEqual([]);
  });

  it("is none where the newest bar has gone past the newest trade", () => {
    expect(provisionalTrades([aTrade(1, aBar(1).start_ns)], bar)).toEqual([]);
    expect(provisionalTrades([], bar)).toEqual([]);
  });

  it("is none where the newest trade is confirmed, and that of a newer one", () => {
    const tape = tapeOf([1, 2]);
    expect(provisionalTrades(tape, undefined, tape)).toEqual([]);
    const more = heard(tape, aTrade(3));
    expect(provisionalTrades(more, undefined, tape)).toEqual(more);
    const late = heard(tape, aTrade(0, "-1"));
    expect(provisionalTrades(late, undefined, tape)).toEqual([]);
  });
});

describe("all trades of the tape", () => {
  const at = aBar(2).start_ns;
  const tape = [aTrade(2, at), aTrade(1, at)];
  const forming = aBar(2, { state: "forming" });

  it("are confirmed by a bar whose last trade was not heard, and by none whose last one was", () => {
    expect(confirmsAll({ ...forming, last_trade_id: "3" }, tape)).toBe(true);
    expect(confirmsAll({ ...forming, last_trade_id: "2" }, tape)).toBe(false);
    expect(confirmsAll({ ...forming, last_trade_id: "1" }, tape)).toBe(false);
  });

  it("are not by a bar whose last trade is older than all of them", () => {
    expect(confirmsAll({ ...forming, last_trade_id: "0" }, tape)).toBe(false);
  });

  it("are not by a bar that ends before the newest one", () => {
    const behind = [aTrade(3, aBar(3).start_ns), ...tape];
    expect(confirmsAll({ ...forming, last_trade_id: "4" }, behind)).toBe(false);
  });

  it("are confirmed by a bar of an exchange's hours once it forms no more", () => {
    const hours = { ...forming, interval: "regular", last_trade_id: "2" };
    expect(confirmsAll(hours, tape)).toBe(false);
    expect(confirmsAll({ ...hours, state: "final" }, tape)).toBe(true);
    expect(confirmsAll({ ...hours, state: "revised" }, tape)).toBe(true);
  });
});
