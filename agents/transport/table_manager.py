"""Faust's table manager, for apps whose batch tables recover themselves."""

from typing import Any, cast

from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types.tables import CollectionT


class SelfRecovering:
    """Marks a table with a changelog that Faust must neither read nor write."""


class BatchRecovery(Recovery):
    """Recovers Faust's tables as ever, and lets the app get its batch partitions ready before streams resume."""

    async def _resume_streams(self, generation_id: int = 0) -> None:
        await self._prepare_batches()
        await super()._resume_streams(generation_id)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Resume the streams once batch partitions are ready too."""
        await self._prepare_batches()
        await super().on_recovery_completed(generation_id)

    async def _prepare_batches(self) -> None:
        try:
            await self._wait(cast("Any", self.app).prepare_batches())
        except (RebalanceAgain, ServiceStopped):
            raise
        except Exception as error:
            await self.app.crash(error)
            raise


class BatchTableManager(TableManager):
    """Shows self-recovering tables among the others, and keeps their changelogs out of Faust's hands."""

    @property
    def recovery(self) -> Recovery:
        """The recovery service of this manager."""
        if self._recovery is None:
            self._recovery = BatchRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    def add(self, table: CollectionT) -> CollectionT:
        """Add a table; one that recovers itself gets no changelog channel."""
        if not isinstance(table, SelfRecovering):
            return super().add(table)
        self[table.name] = table
        cast("dict[CollectionT, None]", self._channels)[table] = None  # as if its channel were there: none is made
        return table
