"""The bridge and the relay, which are killed and started again."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.settings import Settings
from replay.venues import VenueName
from tests.chaos.exchanges.stormy_exchange import INSTRUMENTS
from tests.integration.bridge_kit import Bridge, bridging, relaying


@dataclass
class Program:
    """One of them, and what runs it for as long as a block does."""

    name: str
    running: Callable[[Settings], AbstractContextManager[Bridge]]
    settings: Settings
    process: Bridge | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Start it."""
        self.process = self._stack.enter_context(self.running(self.settings))

    def kill(self) -> None:
        """`kill -9`, where it runs."""
        self._stack.close()
        self.process = None

    async def stop(self) -> int | None:
        """End it in order; its exit code, and none where it does not run."""
        return None if self.process is None else await self.process.stop()


BRIDGE: Final = "bridge"
RELAY: Final = "relay"


def programs(settings: Settings) -> dict[str, Program]:
    """Both, by their names."""
    return {BRIDGE: Program(BRIDGE, bridging, settings), RELAY: Program(RELAY, relaying, settings)}


def has_positions(settings: Settings) -> bool:
    """Whether the bridge has written down once how far it is with every instrument.

    A first run that is killed before that leaves nothing to tell the next one what it missed.
    """
    folder = settings.home / "positions" / settings.namespace
    return all(_lines(folder / f"{name}.positions") == len(INSTRUMENTS) for name in VenueName)


def _lines(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0
