"""What a simulated exchange can be told to do wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from replay.trade import SimulatedTrade

LAST_DAY_OF_2099_NS: Final = 4_102_358_400_000_000_000


@dataclass(frozen=True)
class Refusal:
    """An error that a REST request is answered with."""

    status: HTTPStatus
    text: str


class Refused(Exception):
    """A REST request that a venue answers with an error of its own."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


class Faults:
    """Faults that wait to happen; each is used up by the trades or frames that it strikes."""

    def __init__(self) -> None:
        self._to_skip = 0
        self._to_repeat = 0
        self._to_spoil = 0
        self._to_forget = 0
        self._refusals: list[Refusal] = []

    def skip(self, count: int) -> None:
        """Leave out the next trades: their ids are missing on the stream, and the REST API has them."""
        self._to_skip += count

    def lose(self, count: int) -> None:
        """Leave out the next trades, on the stream and in what the REST API gives back."""
        self._to_skip += count
        self._to_forget += count

    def refuse(self, count: int, status: HTTPStatus = HTTPStatus.SERVICE_UNAVAILABLE, text: str = "{}") -> None:
        """Answer the next REST requests with an error, and what it says."""
        self._refusals += [Refusal(status, text)] * count

    def relent(self) -> None:
        """Answer REST requests again."""
        self._refusals.clear()

    def repeat(self, count: int) -> None:
        """Send each of the next trades twice."""
        self._to_repeat += count

    def garbage(self, count: int) -> None:
        """Send three broken frames before each of the next trades: no JSON, a price of 1e400, a date in 2099."""
        self._to_spoil += count

    def refuses(self) -> Refusal | None:
        """The error that the next REST request is answered with."""
        return self._refusals.pop(0) if self._refusals else None

    def forgets(self) -> bool:
        """Whether the REST API will not have the next trade."""
        if self._to_forget == 0:
            return False
        self._to_forget -= 1
        return True

    def spoils(self) -> bool:
        """Whether garbage comes before the next trade."""
        if self._to_spoil == 0:
            return False
        self._to_spoil -= 1
        return True

    def apply(self, trade: SimulatedTrade) -> Iterator[SimulatedTrade]:
        """What is sent of a trade: nothing, itself, or itself twice."""
        if self._to_skip:
            self._to_skip -= 1
            return
        yield trade
        if self._to_repeat:
            self._to_repeat -= 1
            yield trade
