"""Exact amounts against Decimal."""

from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.amounts import from_decimal, order_flow_imbalance, plain, plain_text, realised_volatility, unscaled, vwap

WIDE = Context(prec=250, Emin=MIN_EMIN, Emax=MAX_EMAX, rounding=ROUND_HALF_EVEN)
prices = st.integers(-(10**38) + 1, 10**38 - 1)


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        (0, 18, "0"),
        (10**18, 18, "1"),
        (-(10**18), 18, "-1"),
        (1, 18, "0.000000000000000001"),
        (64_123_450_000_000_000_000_000, 18, "64123.45"),
        (10**38 - 1, 18, "99999999999999999999.999999999999999999"),
        (10**36, 36, "1"),
        (100 * 10**18, 18, "100"),
        (0, 0, "0"),
        (15, 0, "15"),
        (-100, 0, "-100"),
        (7, 1, "0.7"),
    ],
)
def test_plain_text_has_no_exponent_and_no_trailing_zeros(value: int, scale: int, text: str) -> None:
    assert plain(value, scale) == text


@given(prices, st.sampled_from([0, 1, 8, 18, 36, 76]))
def test_plain_text_is_the_exact_value(value: int, scale: int) -> None:
    assert Decimal(plain(value, scale)) == WIDE.scaleb(Decimal(value), -scale)


@given(prices, st.sampled_from([0, 1, 8, 18, 36, 76]))
def test_a_decimal_of_any_places_is_the_same_text(value: int, scale: int) -> None:
    assert plain_text(WIDE.scaleb(Decimal(value), -scale)) == plain(value, scale)


@given(prices)
def test_a_decimal_of_the_database_gives_back_the_stored_integer(value: int) -> None:
    assert from_decimal(WIDE.scaleb(Decimal(value), -18), 18) == value


@given(prices)
def test_avro_bytes_are_signed_and_big_endian(value: int) -> None:
    length = (value.bit_length() + 8) // 8
    assert unscaled(value.to_bytes(length, "big", signed=True)) == value


@given(st.integers(0, 10**76 - 1), st.integers(1, 10**38 - 1))
def test_vwap_is_the_quotient_rounded_half_to_even_at_18_places(notional: int, volume: int) -> None:
    exact = WIDE.divide(WIDE.scaleb(Decimal(notional), -36), WIDE.scaleb(Decimal(volume), -18))
    expected = exact.quantize(Decimal(1).scaleb(-18), context=WIDE)
    assert vwap(notional, volume) == from_decimal(expected, 18)


@pytest.mark.parametrize(("notional", "volume", "average"), [(1, 2, 0), (3, 2, 2), (5, 2, 2), (7, 2, 4)])
def test_a_vwap_half_way_goes_to_the_even_neighbour(notional: int, volume: int, average: int) -> None:
    assert vwap(notional, volume) == average


def test_a_bar_without_volume_has_no_vwap() -> None:
    assert vwap(0, 0) is None


@given(st.integers(0, 10**38 - 1), st.integers(0, 10**38 - 1))
def test_order_flow_imbalance_is_the_quotient_rounded_half_to_even_at_18_places(buy: int, sell: int) -> None:
    found = order_flow_imbalance(buy, sell)
    if not buy + sell:
        assert found is None
        return
    exact = WIDE.divide(Decimal(buy - sell), Decimal(buy + sell))
    assert found == from_decimal(exact.quantize(Decimal(1).scaleb(-18), context=WIDE), 18)
    assert -(10**18) <= found <= 10**18


@pytest.mark.parametrize("sides", [(0, 0), (None, None), (None, 1)])
def test_without_a_side_there_is_no_imbalance(sides: tuple[int | None, int | None]) -> None:
    assert order_flow_imbalance(*sides) is None


@given(st.integers(0, 10**38 - 1))
def test_realised_volatility_is_the_root_rounded_at_18_places(squared_returns: int) -> None:
    exact = WIDE.sqrt(WIDE.scaleb(Decimal(squared_returns), -28))
    assert realised_volatility(squared_returns) == from_decimal(
        exact.quantize(Decimal(1).scaleb(-18), context=WIDE), 18
    )


def test_without_returns_there_is_no_volatility() -> None:
    assert realised_volatility(None) is None
