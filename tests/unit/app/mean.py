"""An aggregate of one number, for tests of what is around one."""

from dataclasses import dataclass
from typing import Annotated

from app.aggregates import Aggregate, Float, Trades


@dataclass(frozen=True)
class Mean(Aggregate):
    """Mean price."""

    name = "mean"
    mean: Annotated[float, Float("Mean price.")] = 0.0

    def fold(self, trades: Trades) -> "Mean":
        raise NotImplementedError

    def merge(self, later: "Mean") -> "Mean":
        raise NotImplementedError


ALL = [Mean]
