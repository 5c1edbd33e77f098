import { describe, expect, it } from "vitest";

import { isIncomplete, missingText } from "../src/missing";
import { aBar } from "./bars";

describe("trades that are missing from a bar", () => {
  it("are none, so many, or not known where the venue's ids cannot tell", () => {
    expect([0, 1, 1_234, null].map((missing) => missingText(aBar(1, { missing })))).toEqual([
      "0",
      "1",
      "1\u2009234",
      "unknown",
    ]);
  });

  it("make it incomplete where they are known", () => {
    expect([0, null, 1].map((missing) => isIncomplete(aBar(1, { missing })))).toEqual([false, false, true]);
  });
});
