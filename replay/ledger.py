"""What a simulated exchange traded, for whoever wants to check that nothing was lost: one JSON object a line."""

import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from replay.trade import SimulatedTrade, TapeEntry


class Ledger:
    """Appends every trade to a file, exactly and at once; without a path it keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else path.open("a", encoding="utf-8", buffering=1)

    def write(self, trade: SimulatedTrade | TapeEntry) -> None:
        """Keep one trade."""
        if self._file is not None:
            self._file.write(json.dumps(asdict(trade)) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def read_ledger(path: Path) -> list[SimulatedTrade]:
    """The trades of a ledger file in the order they were made."""
    return [SimulatedTrade(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def read_tape(path: Path) -> list[TapeEntry]:
    """The entries of a packet feed's ledger in the order they were made."""
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [TapeEntry(**{**fields, "conditions": tuple(fields["conditions"])}) for fields in lines]
