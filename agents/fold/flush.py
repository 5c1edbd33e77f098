"""A flush of the fold: what changed, how far it has come, and what it puts out, in one transaction."""

from typing import Final

from agents.aggregates import AggregateOutput
from agents.fold.setup import FoldSetup
from agents.kernel import Flush
from agents.transaction import TransactionWriter, packed
from app.settings import Settings
from app.topics import AGGREGATES_CHANGELOG

CHANGELOG: Final = "fold-bars-changelog"
OUTPUTS: Final = ("bars.1s", "bars", "late", "trades.dead")
"""Topics of a flush beside the changelog."""


def transactional_id(settings: Settings, partition: int) -> str:
    """Who starts a producer of this id is the only writer of the partition's state from then on."""
    return f"{settings.namespace}-fold-{partition}"


class FlushWriter(TransactionWriter):
    """Writes the flushes of one partition of the fold."""

    def __init__(self, setup: FoldSetup, partition: int) -> None:
        of_aggregates = (AGGREGATES_CHANGELOG, *(each.topic for each in setup.aggregates)) if setup.aggregates else ()
        identity = transactional_id(setup.settings, partition)
        super().__init__(setup.settings, partition, identity, state=CHANGELOG, outputs=(*OUTPUTS, *of_aggregates))

    async def write(self, flush: Flush, aggregates: AggregateOutput | None = None) -> int | None:
        """Write one flush, and what it means to the aggregates, in one transaction; the changelog's end, if known.

        Raises:
            Fenced, FlushFailed: as `write_batches` does.
        """
        late = packed((key, value) for key, value, _offset, _reason in flush.late)
        outputs = (flush.bars_1s, flush.bars, late, await self.dead_letters("trades", flush.dead))
        of_aggregates = aggregates or AggregateOutput()
        records = {topic: packed(each) for topic, each in of_aggregates.records.items()}
        state = {CHANGELOG: flush.changelog, AGGREGATES_CHANGELOG: packed(of_aggregates.changelog)}
        ends = await self.write_batches({**dict(zip(OUTPUTS, outputs, strict=True)), **records}, state)
        return ends[CHANGELOG]
