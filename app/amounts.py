"""Exact decimals between their stored form, an integer and a scale, and the text that JSON carries."""

import math
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal, Inexact

PRICE_SCALE = 18
"""Decimal places of prices, sizes, volumes and VWAP."""
NOTIONAL_SCALE = 36
"""Decimal places of price times size."""
RETURNS_SCALE = 28
"""Decimal places of sums of squared log returns."""
MOST_BYTES = 33
"""Of any amount of a bar in Avro: a notional is below 10^76."""
_EXACT = Context(prec=200, Emin=MIN_EMIN, Emax=MAX_EMAX, rounding=ROUND_HALF_EVEN, traps=[Inexact])


def unscaled(raw: bytes) -> int:
    """The integer of an Avro decimal: two's complement, big-endian."""
    return int.from_bytes(raw, "big", signed=True)


def from_decimal(value: Decimal, scale: int) -> int:
    """The integer that stands for a Decimal at a scale; raise decimal.Inexact where it has more places."""
    return int(_EXACT.to_integral_exact(_EXACT.scaleb(value, scale)))


def plain_text(value: Decimal) -> str:
    """A Decimal as a plain decimal, whatever its places: see `plain`."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def plain(value: int, scale: int) -> str:
    """A scaled integer as a plain decimal: no exponent, no trailing zeros, no minus before zero."""
    sign = "-" if value < 0 else ""
    digits = str(abs(value)).rjust(scale + 1, "0")
    point = len(digits) - scale
    places = digits[point:].rstrip("0")
    return f"{sign}{digits[:point]}.{places}" if places else f"{sign}{digits[:point]}"


def unscaled_text(text: str, scale: int) -> int:
    """The integer that stands for a plain decimal at a scale."""
    return from_decimal(Decimal(text), scale)


def divided(dividend: int, divisor: int) -> int:
    """The quotient of two whole numbers, half to even; the divisor is not 0."""
    quotient, rest = divmod(dividend, divisor)
    twice = 2 * abs(rest)
    rounds_up = twice > abs(divisor) or (twice == abs(divisor) and quotient % 2 == 1)
    return quotient + 1 if rounds_up else quotient


def vwap(notional: int | None, volume: int | None) -> int | None:
    """Notional (scale 36) over volume (scale 18) at scale 18, half to even; None for a bar without volume."""
    return divided(notional, volume) if notional is not None and volume else None


def order_flow_imbalance(buy_volume: int | None, sell_volume: int | None) -> int | None:
    """(buy - sell) / (buy + sell) at scale 18, half to even: from -1 to 1; None where no side is known."""
    if buy_volume is None or sell_volume is None or not buy_volume + sell_volume:
        return None
    return divided((buy_volume - sell_volume) * 10**PRICE_SCALE, buy_volume + sell_volume)


def realised_volatility(squared_returns: int | None) -> int | None:
    """The square root of a sum of squared log returns (scale 28) at scale 18; None where there is none."""
    if squared_returns is None:
        return None
    square = squared_returns * 10**8  # to 36 places, twice those of the root
    root = math.isqrt(square)
    return root + (square - root * root > root)
