/** Amounts are exact decimal text. They are compared and shown as text, and become numbers for drawing only. */

/** The nearest number, for a place on the screen and nothing else: a double holds some 16 digits. */
export function forDrawing(amount: string): number {
  return Number(amount);
}

/** Digits after the decimal point. */
export function places(amount: string): number {
  const point = amount.indexOf(".");
  return point < 0 ? 0 : amount.length - point - 1;
}

/** Zeros right behind the decimal point of an amount below one. */
export function leadingZeros(amount: string): number {
  return /^-?0\.(0*)/.exec(amount)?.[1]?.length ?? 0;
}

/** The sign of first − second, exact. */
export function compareDecimals(first: string, second: string): number {
  const scale = Math.max(places(first), places(second));
  const difference = scaled(first, scale) - scaled(second, scale);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** A whole number with thin spaces between thousands. */
export function grouped(count: number): string {
  return count.toLocaleString("en-US").replaceAll(",", "\u2009");
}

function scaled(amount: string, scale: number): bigint {
  return BigInt(amount.replace(".", "") + "0".repeat(scale - places(amount)));
}

/** With zeros to so many places: amounts of a column stand under each other. */
export function padded(amount: string, digits: number): string {
  const lacking = digits - places(amount);
  if (lacking <= 0) return amount;
  return `${amount}${places(amount) === 0 ? "." : ""}${"0".repeat(lacking)}`;
}

/** The most places that any of these amounts has. */
export function mostPlaces(amounts: readonly string[]): number {
  return Math.max(0, ...amounts.map(places));
}

/** Cut to at most so many places, and marked as cut where digits were lost. */
export function shortened(amount: string, most: number): string {
  const lost = places(amount) - most;
  return lost > 0 ? `${amount.slice(0, -lost)}…` : amount;
}

const VWAP_PLACES = 18;
const VWAP_MORE_PLACES = 2;

/** VWAP with a little more than the places of prices, of the 18 that the server gives. */
export function vwapText(vwap: string | null, priceDigits: number): string {
  if (vwap === null) return "–";
  const digits = Math.min(VWAP_PLACES, priceDigits + VWAP_MORE_PLACES);
  return padded(shortened(vwap, digits), digits);
}

/** A ratio to so many places. */
export function ratioText(ratio: string | null, digits: number): string {
  return ratio === null ? "–" : padded(shortened(ratio, digits), digits);
}
