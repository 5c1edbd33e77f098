import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { effectScope, type EffectScope } from "vue";

import { useTape, type Tape } from "../src/market/use_tape";
import { aBar, aTrade } from "./bars";

let scope: EffectScope;

function opened(): Tape {
  const tape = scope.run(useTape);
  if (!tape) throw new Error("the scope has ended");
  return tape;
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000 });
  scope = effectScope();
});

afterEach(() => {
  scope.stop();
  vi.useRealTimers();
});

it("has nothing of an instrument that is left", async () => {
  const tape = opened();
  tape.takeTrade(aTrade(1, "900000000"));
  tape.skipped(3);
  tape.barChanged(aBar(0, { last_trade_id: "2" }));
  await vi.advanceTimersByTimeAsync(40);
  const { trades, holes, confirmed, lagMs } = tape.shown;
  expect([trades.value.length, holes.value.size, confirmed.value.length, lagMs.value]).toEqual([
    1, 1, 1, 100,
  ]);
  tape.forget();
  await vi.advanceTimersByTimeAsync(40);
  expect([trades.value.length, holes.value.size, confirmed.value.length, lagMs.value]).toEqual([
    0,
    0,
    0,
    null,
  ]);
});

it("has the lag of a trade behind a venue's clock that is ahead as a negative one", async () => {
  const tape = opened();
  tape.takeTrade(aTrade(1, "1250000000"));
  await vi.advanceTimersByTimeAsync(40);
  expect(tape.shown.lagMs.value).toBe(-250);
});
