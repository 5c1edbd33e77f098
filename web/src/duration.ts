const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
];

/** 35 ms, 4.2 s, 3 min, 5 h, 800 d; clocks that disagree can make it negative. */
export function duration(ms: number): string {
  const [name, length] = UNITS.find(([, unit]) => Math.abs(ms) >= unit) ?? ["ms", 1];
  const amount = ms / length;
  return `${amount.toFixed(name === "s" ? 1 : 0)} ${name}`;
}
