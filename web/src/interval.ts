const SECONDS = new Map([
  ["s", 1n],
  ["m", 60n],
  ["h", 3_600n],
  ["d", 86_400n],
]);

/** How long a window of an interval is, in ns: of `5m` and of `5m/1m` 5 minutes; null of an exchange's hours. */
export function lengthNs(interval: string): bigint | null {
  const [, count, unit] = /^(\d+)([smhd])(?:\/|$)/.exec(interval) ?? [];
  const unitS = SECONDS.get(unit ?? "");
  return count && unitS ? BigInt(count) * unitS * 1_000_000_000n : null;
}
