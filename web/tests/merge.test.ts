import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Bar } from "../src/feed/protocol";
import { merge, newer, put, remaining } from "../src/series/merge";
import { aBar } from "./bars";

describe("of two versions of a bar", () => {
  it("the higher seq is newer, whichever came first", () => {
    const [older, later] = [aBar(1, { seq: 5 }), aBar(1, { seq: 6 })];
    expect(newer(older, later)).toBe(later);
    expect(newer(later, older)).toBe(later);
  });

  it("at one seq final beats forming", () => {
    const [forming, final] = [aBar(1, { state: "forming" }), aBar(1, { state: "final" })];
    expect(newer(final, forming)).toBe(final);
    expect(newer(forming, final)).toBe(final);
  });

  it("of another log, what was said last counts", () => {
    const [old, anew] = [aBar(1, { seq: 900, epoch: "log-0" }), aBar(1, { seq: 1, epoch: "log-1" })];
    expect(newer(old, anew)).toBe(anew);
  });

  it("the one of after a reset is newer, whatever its seq and whichever came first", () => {
    const before = aBar(1, { seq: 900, epoch: "lo.g.9", state: "revised", revision: 2 });
    const after = aBar(1, { seq: 5, epoch: "lo.g.10" });
    expect(newer(before, after)).toBe(after);
    expect(newer(after, before)).toBe(after);
    const anew = aBar(1, { seq: 1, epoch: "log.0" });
    expect(newer(after, anew)).toBe(anew);
  });
});

describe("bars that a server tells anew", () => {
  const of = (generation: number, ...minutes: number[]): Bar[] =>
    minutes.map((minute) => aBar(minute, { epoch: `log.${generation}` }));
  const start = (minute: number): string => aBar(minute).start_ns;

  it("are gone that were of before a reset, where it has all of their time without them", () => {
    const held = [...of(0, 1, 2, 3), ...of(1, 4), ...of(0, 5, 6)];
    const told = [...of(0, 2), ...of(1, 4)];
    expect(remaining(held, told, {})).toEqual([...of(0, 2), ...of(1, 4)]);
    expect(remaining(held, told, { start_ns: start(2) })).toEqual([...of(0, 1, 2), ...of(1, 4)]);
    expect(remaining(held, told, { start_ns: start(3), end_ns: start(6) })).toEqual([
      ...of(0, 1, 2),
      ...of(1, 4),
      ...of(0, 6),
    ]);
  });

  it("stay where it does not know of the reset yet, or is of another log", () => {
    const held = of(1, 1, 2, 3);
    expect(remaining(held, of(1, 1), {})).toEqual(held);
    expect(remaining(held, of(0, 1), {})).toEqual(held);
    expect(remaining(held, [aBar(1, { epoch: "another.2" })], {})).toEqual(held);
    expect(remaining(held, [], {})).toEqual(held);
  });
});

describe("merged bars", () => {
  const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 40 })).map((some) => some.sort((a, b) => a - b));

  it("have every bar of both lists once, oldest first", () => {
    fc.assert(
      fc.property(minutes, minutes, (first, second) => {
        const merged = merge(
          first.map((minute) => aBar(minute)),
          second.map((minute) => aBar(minute)),
        );
        const expected = [...new Set([...first, ...second])].sort((a, b) => a - b);
        expect(merged.map((bar) => bar.start_ns)).toEqual(expected.map((minute) => aBar(minute).start_ns));
      }),
    );
  });

  it("have the newest version of each, in whatever order the versions came", () => {
    const versions = fc.array(fc.record({ minute: fc.integer({ min: 0, max: 5 }), seq: fc.nat(50) }));
    fc.assert(
      fc.property(versions, (said) => {
        let held = merge([], []);
        for (const { minute, seq } of said) held = merge(held, [aBar(minute, { seq })]);
        for (const bar of held) {
          const seqs = said
            .filter(({ minute }) => aBar(minute).start_ns === bar.start_ns)
            .map(({ seq }) => seq);
          expect(bar.seq).toBe(Math.max(...seqs));
        }
      }),
    );
  });

  it("are the same when they come one by one", () => {
    const version = fc.record({
      minute: fc.integer({ min: 0, max: 9 }),
      seq: fc.nat(5),
      revision: fc.nat(2),
      state: fc.constantFrom("forming", "final", "revised"),
      epoch: fc.constantFrom("log-0", "log-1"),
    });
    fc.assert(
      fc.property(fc.array(version), (said) => {
        const heard = said.map(({ minute, ...changed }) => aBar(minute, changed));
        const one: Bar[] = [];
        for (const bar of heard) put(one, bar);
        expect(one).toEqual(heard.reduce<Bar[]>((all, bar) => merge(all, [bar]), []));
      }),
    );
  });
});
