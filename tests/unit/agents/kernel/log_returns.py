"""Squared log returns, computed anew: in floats step by step as the kernel says it does, and in Decimals."""

import math
from collections.abc import Iterable
from decimal import Context, Decimal
from itertools import pairwise

PLACES = 28
WIDE = Context(prec=120)


def squared_in_floats(earlier: Decimal, later: Decimal) -> Decimal:
    """ln(later / earlier) squared and cut at 28 places, in IEEE doubles."""
    low, high = sorted(int(WIDE.scaleb(price, 18)) for price in (earlier, later))
    halvings = 0
    while low * 2 <= high:
        low *= 2
        halvings += 1
    z = float(high - low) / float(high + low)
    terms, power, odd = 1.0, 1.0, 3.0
    while True:
        power *= z * z
        following = terms + power / odd
        if following == terms:
            break
        terms, odd = following, odd + 2
    log = halvings * math.log(2) + 2 * z * terms
    return WIDE.scaleb(Decimal(int(log * log * 1e28)), -PLACES)


def squared_in_decimals(earlier: Decimal, later: Decimal) -> Decimal:
    """ln(later / earlier) squared to 100 digits and more."""
    log = WIDE.ln(WIDE.divide(later, earlier))
    return WIDE.multiply(log, log)


def sum_of_squares(closes: Iterable[Decimal]) -> Decimal | None:
    """Of the returns from close to close; None where there is no return."""
    squares = [squared_in_floats(*pair) for pair in pairwise(closes)]
    total = Decimal(0)
    for square in squares:
        total = WIDE.add(total, square)
    return total if squares else None
