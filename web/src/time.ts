/** Times are nanoseconds since 1970 UTC as text, since they do not fit a number. */

const NS_PER_SECOND = 1_000_000_000n;
const NS_PER_MS = 1_000_000n;

/** Which of two times is earlier: negative for the first one. */
export function compareTimes(first_ns: string, second_ns: string): number {
  if (first_ns.length === second_ns.length && !first_ns.startsWith("-") && !second_ns.startsWith("-")) {
    return first_ns < second_ns ? -1 : first_ns > second_ns ? 1 : 0; // the common case, without BigInt
  }
  const difference = BigInt(first_ns) - BigInt(second_ns);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** Whole seconds since 1970; exact, as no bar is shorter than a second. */
export function seconds(time_ns: string): number {
  return Number(BigInt(time_ns) / NS_PER_SECOND);
}

/** A whole second since 1970 as such a time. */
export function nanoseconds(second: number): string {
  return String(BigInt(second) * NS_PER_SECOND);
}

/** Milliseconds since 1970, cut off. */
export function milliseconds(time_ns: string): number {
  return Number(BigInt(time_ns) / NS_PER_MS);
}

/** 2024-08-08 23:54:00, UTC. */
export function dateAndTime(time_ns: string): string {
  return new Date(milliseconds(time_ns)).toISOString().slice(0, 19).replace("T", " ");
}

/** 23:54:00.123, UTC. */
export function timeOfDay(time_ns: string): string {
  return new Date(milliseconds(time_ns)).toISOString().slice(11, 23);
}
