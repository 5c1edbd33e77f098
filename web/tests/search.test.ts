import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { barAt, placeOf } from "../src/series/search";
import { aBar } from "./bars";

describe("a bar that is looked for by its start", () => {
  const minutes = fc.uniqueArray(fc.integer({ min: -20, max: 20 })).map((some) => some.sort((a, b) => a - b));
  const wanted = fc.integer({ min: -21, max: 21 });

  it("is found where there is one, and no other is taken for it", () => {
    fc.assert(
      fc.property(minutes, wanted, (some, minute) => {
        const expected = some.includes(minute) ? aBar(minute) : undefined;
        expect(
          barAt(
            some.map((each) => aBar(each)),
            aBar(minute).start_ns,
          ),
        ).toEqual(expected);
      }),
    );
  });

  it("has its place after all that start before it", () => {
    fc.assert(
      fc.property(minutes, wanted, (some, minute) => {
        const before = some.filter((each) => each < minute);
        expect(
          placeOf(
            some.map((each) => aBar(each)),
            aBar(minute).start_ns,
          ),
        ).toBe(before.length);
      }),
    );
  });
});
