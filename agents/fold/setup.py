"""What every partition's fold of a worker is made with."""

from dataclasses import dataclass

from agents.epoch import FIRST_GENERATION
from agents.kernel import FoldConfig, PartitionFold, SessionTables, VenueRules, WriterSchemas
from app.aggregates import Declared, load_aggregates
from app.intervals import read_interval
from app.settings import Settings
from app.venues import UNDECLARED, TradeIds, Venue, read_venues


@dataclass(frozen=True)
class FoldSetup:
    """The same for all partitions; `schema_ids` are keyed by full record name."""

    settings: Settings
    config: FoldConfig
    writer_schemas: WriterSchemas
    schema_ids: dict[str, int]
    aggregates: tuple[Declared, ...]


def make_setup(settings: Settings, schema_ids: dict[str, int]) -> FoldSetup:
    """The fold that the settings ask for, with no writer's schema known yet.

    Raises:
        VenuesFileError: venues.yaml cannot be followed.
        NoSuchHours: nor one of its calendars.
    """
    venues = read_venues(settings.venues_file)
    config = FoldConfig(
        intervals=[read_interval(name) for name in settings.intervals],
        out_of_order_ns=settings.out_of_order_ns,
        grace_ns=settings.grace_ns,
        horizon_ns=settings.horizon_ns,
        max_ahead_ns=settings.max_ahead_ns,
        venues={name: _rules(venue) for name, venue in venues.items()},
        other_venues=_rules(UNDECLARED),
        sessions=_sessions(venues),
    )
    schemas = WriterSchemas(schemas_dir=settings.schemas_dir)
    return FoldSetup(settings, config, schemas, schema_ids, load_aggregates(settings))


def _sessions(venues: dict[str, Venue]) -> SessionTables:
    if not any(venue.all_hours for venue in venues.values()):
        return {}
    from agents.fold.exchange_hours import session_tables  # noqa: PLC0415 - pandas costs half a second and 60 MB

    return session_tables(venues)


def _rules(venue: Venue) -> VenueRules:
    return VenueRules(has_contiguous_ids=venue.trade_ids is TradeIds.CONTIGUOUS, conditions=venue.conditions)


def new_fold(setup: FoldSetup, partition: int, epoch: str) -> PartitionFold:
    """A fold with no state; `epoch` names the log that it is of."""
    fold = PartitionFold(
        setup.config,
        setup.writer_schemas,
        bar_schema_id=setup.schema_ids["livetape.Bar"],
        live_schema_id=setup.schema_ids["livetape.Live"],
        partition=partition,
        epoch=epoch,
        generation=FIRST_GENERATION,
    )
    if setup.aggregates:
        fold.hand_out_trades()
    return fold
