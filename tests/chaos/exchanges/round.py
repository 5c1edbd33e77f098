"""One round: every venue's exchange trades while all goes wrong, then all is mended, and the books are compared."""

import asyncio
import random
import shutil
import time
from contextlib import AsyncExitStack
from typing import Final

from app.settings import Settings
from local import certificates
from replay.venues import VenueName
from tests.chaos.exchanges.account import SHOWN, Books, Broken
from tests.chaos.exchanges.programs import BRIDGE, RELAY, Program, has_positions, programs
from tests.chaos.exchanges.stormy_exchange import StormyExchange
from tests.chaos.exchanges.tally import Tally
from tests.integration.api_kit import WAIT_S

MEAN_KILL_S: Final = 10.0
LONGEST_AWAY_S: Final = 1.5
KILLED: Final = (BRIDGE, BRIDGE, RELAY)


class Round:
    """A namespace of its own, whose bridge and relay begin anew."""

    def __init__(self, settings: Settings, certs: certificates.Certificates, seed: int, tally: Tally) -> None:
        self._home = settings.home
        self._tally = tally
        self._chance = random.Random(f"{seed} programs")  # noqa: S311 - no secret
        self._exchanges = [
            StormyExchange(name, seed, certs, settings.home / f"{settings.namespace}-{name}.jsonl", tally.note)
            for name in VenueName
        ]
        self._settings = settings
        self._programs: dict[str, Program] = {}

    async def go(self, seconds: float) -> None:
        """Storm for so long, then compare. Raises Broken."""
        async with AsyncExitStack() as opened:
            for exchange in self._exchanges:
                await opened.enter_async_context(exchange)
            venues = {exchange.name: exchange.venue() for exchange in self._exchanges}
            self._settings = self._settings.model_copy(update={"venues": venues})
            self._programs = programs(self._settings)
            for program in self._programs.values():
                opened.callback(program.kill)
                program.start()
            await self._storm(seconds)
            await asyncio.gather(*(exchange.end() for exchange in self._exchanges))
            self._tally.say("nothing goes wrong any more")
            await self._compare()

    async def _storm(self, seconds: float) -> None:
        """Bridge and relay are killed now and then; the exchanges see to the rest."""
        bridge = self._programs[BRIDGE].process
        assert bridge is not None
        await bridge.until(lambda: has_positions(self._settings), "the first positions")
        end = time.monotonic() + seconds
        while (left_s := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, self._chance.expovariate(1 / MEAN_KILL_S)))
            if time.monotonic() < end:
                await self._kill(self._programs[self._chance.choice(KILLED)])

    async def _kill(self, program: Program) -> None:
        self._tally.note(f"{program.name}: kill -9")
        program.kill()
        await asyncio.sleep(self._chance.uniform(0, LONGEST_AWAY_S))
        program.start()

    async def _compare(self) -> None:
        """Every trade is to come; then nothing else may."""
        books = await asyncio.to_thread(Books, self._settings, self._exchanges)
        try:
            await self._all_come(books)
            codes = {name: await program.stop() for name, program in self._programs.items()}
            if any(codes.values()):
                raise Broken(f"exit codes {codes}")
            await asyncio.to_thread(books.read)
        finally:
            books.close()
        for account in books.accounts.values():
            account.judge()
            self._tally.book(account)
        shutil.rmtree(self._home / "spool" / self._settings.namespace, ignore_errors=True)

    async def _all_come(self, books: Books) -> None:
        """Wait for as long as trades come from the histories, be they missing or there from a former run."""
        bridge = self._programs[BRIDGE].process
        assert bridge is not None
        missing, came, since = None, -1.0, time.monotonic()
        while left := await asyncio.to_thread(books.read):
            if left != missing:
                self._tally.say(f"{left:,} trades are not there yet")
            fetched = await asyncio.to_thread(bridge.total, "backfilled_trades")
            if (left, fetched) != (missing, came):
                missing, came, since = left, fetched, time.monotonic()
            if time.monotonic() - since > WAIT_S or not all(map(_runs, self._programs.values())):
                keys = {name: sorted(account.missing)[:SHOWN] for name, account in books.accounts.items()}
                raise Broken(f"{left} trades are neither in Kafka nor on gaps: {keys}")


def _runs(program: Program) -> bool:
    return program.process is not None and program.process.process.poll() is None
