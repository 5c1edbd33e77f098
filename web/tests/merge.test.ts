import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Bar } from "../src/feed/protocol";
import { merge, newer, put } from "../src/series/merge";
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
