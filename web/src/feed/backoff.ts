const FIRST_MS = 250;
const LONGEST_MS = 10_000;

/**
 * How long to wait before the next attempt, in milliseconds: doubling, and spread over the upper half of that, so that
 * the pages a restart has cut off do not all come back in the same instant.
 *
 * @param failures attempts that have failed since the last success, from 1
 * @param random in [0, 1)
 */
export function delayMs(failures: number, random: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return full * (0.5 + random / 2);
}
