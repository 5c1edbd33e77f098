import { expect, it } from "vitest";

import { lengthNs } from "../src/interval";

it.each([
  ["1s", 1_000_000_000n],
  ["5m", 300_000_000_000n],
  ["5m/1m", 300_000_000_000n],
  ["1h", 3_600_000_000_000n],
  ["1d", 86_400_000_000_000n],
  ["nyse", null],
  ["2days", null],
])("the length of %s is told by its name, or not", (interval, length) => {
  expect(lengthNs(interval)).toBe(length);
});
