"""What an interval's name says: `5m` is a window of 5 minutes each 5 minutes, `5m/1m` one of 5 minutes each minute."""

import re
from typing import Final, NamedTuple

from app.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

COMPARED: Final = "1m"
"""The bars that are compared with the venues' own candles."""
MOST_HOPS: Final = 60
"""Windows that a trade may be in at once: each of them is sent to `bars.live` while it forms."""

_UNITS_NS: Final = {"s": SECOND_NS, "m": MINUTE_NS, "h": HOUR_NS, "d": DAY_NS}


class Interval(NamedTuple):
    """Windows of a length, of which one begins each hop."""

    name: str
    length_ns: int
    hop_ns: int


def duration_ns(text: str) -> int:
    """Read `90s`, `15m`, `1h` or `3d` as nanoseconds.

    Raises:
        ValueError: it is no such duration.
    """
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 90s, 15m, 1h or 3d")
    return int(match[1]) * _UNITS_NS[match[2]]


def read_interval(name: str) -> Interval:
    """Read `5m`, or `5m/1m`.

    Raises:
        ValueError: it is none that bars can be made of; the message says why.
    """
    length_text, slash, hop_text = name.partition("/")
    length_ns = duration_ns(length_text)
    hop_ns = duration_ns(hop_text) if slash else length_ns
    if hop_ns == 0 or DAY_NS % hop_ns:
        raise ValueError(f"{name}: {hop_text or length_text} does not divide a day, and windows begin anew each day")
    if slash and (length_ns % hop_ns or not hop_ns < length_ns <= min(DAY_NS, MOST_HOPS * hop_ns)):
        raise ValueError(f"{name}: a window's length is 2 to {MOST_HOPS} times its hop, and at most a day")
    return Interval(name, length_ns, hop_ns)


def check_intervals(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names as they are.

    Raises:
        ValueError: one cannot be made of the others, or they are in no order; the message names it.
    """
    intervals = [read_interval(name) for name in names]
    plain = [interval for interval in intervals if interval.hop_ns == interval.length_ns]
    if not plain or plain[0] is not intervals[0]:
        raise ValueError("the first interval is the one that trades fold into, and cannot hop: 1s, 5m/1m")
    for coarser, finer in zip(plain[1:], plain, strict=False):
        if coarser.length_ns <= finer.length_ns:
            raise ValueError(f"{coarser.name} is behind {finer.name}: finest first")
    for interval in intervals[1:]:
        if not any(_is_made_of(interval, finer) for finer in plain):
            raise ValueError(f"{interval.name} is not made of windows of a finer interval: add one that divides it")
    windows = [interval[1:] for interval in intervals]
    if len(set(windows)) < len(windows):
        raise ValueError(f"two of {', '.join(names)} are the same windows")
    return names


def _is_made_of(interval: Interval, finer: Interval) -> bool:
    return interval is not finer and interval.hop_ns % finer.length_ns == 0
