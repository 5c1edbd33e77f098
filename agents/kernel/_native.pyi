from collections.abc import Mapping, Sequence

from agents.kernel.decode_plan import Step

Aborted = Sequence[tuple[int, int]]
"""Aborted transactions of a read_committed fetch: (producer id, first offset)."""

class CorruptBatch(Exception):
    """A batch is damaged so that nobody can tell where the next one begins."""

class CorruptState(Exception):
    """The changelog cannot be restored."""

class VenueRules:
    """What the fold must know of a venue.

    `has_contiguous_ids`: its trade ids number an instrument's trades without a hole.
    `conditions`: for a trade condition code, what such a trade counts for, of `open_close`, `high_low` and `volume`; a
    code not named counts for all.
    """

    def __init__(self, *, has_contiguous_ids: bool, conditions: Mapping[str, Sequence[str]]) -> None: ...

class Level:
    """One interval of an instrument's bars, and its place in the tree of merges."""

    @property
    def name(self) -> str: ...
    @property
    def child(self) -> int | None:
        """The place of the level whose windows merge into this one's; None for the base."""
    @property
    def parents(self) -> list[int]:
        """The places of the levels whose windows this one's merge into."""
    def end_ns(self, start_ns: int) -> int:
        """The end of the window that starts there; the start must be one of `starts_at`."""
    def starts_at(self, time_ns: int) -> list[int]:
        """Starts of the windows that a time is in: one, several that overlap, or none between exchange hours."""

class FoldConfig:
    """How trades become bars. Intervals are (name, length, hop), finest first; the first is the base.

    A hop below the length makes windows that overlap. `sessions` are the windows of exchange hours, as [start, end) by
    venue and instrument (no instrument for all others of the venue) and by the name of their bars; a name that is an
    interval's takes its place.

    Raises ValueError when a hop does not divide a day, or a window is not made of windows of a finer interval.
    """

    def __init__(
        self,
        *,
        intervals: Sequence[tuple[str, int, int]],
        out_of_order_ns: int,
        grace_ns: int,
        horizon_ns: int,
        max_ahead_ns: int,
        venues: Mapping[str, VenueRules] = ...,
        other_venues: VenueRules = ...,
        sessions: Mapping[tuple[str, str], Mapping[str, Sequence[tuple[int, int]]]] = ...,
    ) -> None: ...
    def levels_of(self, venue: str, instrument: str) -> list[Level]:
        """The levels of an instrument's bars: the base, coarser ones, those that overlap, exchange hours."""

class WriterSchemas:
    """How records of each writer's schema are read, by the registry's id of it; for all partitions of a worker."""

    def __init__(self) -> None: ...
    def add_plan(self, schema_id: int, kind: str, steps: list[Step]) -> None:
        """Read records of this schema, which are of the kind `trade`, `clock` or `quote`, by these steps."""
    def refuse(self, schema_id: int, reason: str) -> None:
        """Send records of this schema to the dead letters for this reason."""
    def forget(self, schema_id: int) -> None:
        """Let a refused id be met anew; nothing happens to one that can be read."""

class Progress:
    """How far the restored state has come: everything below `next_offset` is in it."""

    @property
    def epoch(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def next_offset(self) -> int: ...
    @property
    def clocks(self) -> dict[str, int]:
        """Last clock of each venue, in ns."""

class FoldOutcome:
    """What one call of `fold` did; the counts are of this call."""

    @property
    def next_offset(self) -> int:
        """Everything below is folded."""
    @property
    def needs_schema(self) -> int | None:
        """The fold stopped at `next_offset`, before a record of this unknown schema: add or refuse it, and go on."""
    @property
    def needs_history(self) -> int | None:
        """The fold stopped at `next_offset`, before a correction.

        Give the log from this offset up to `next_offset` to `reread`, and go on; or say that the `history_is_gone`.
        """
    @property
    def corrupt(self) -> str:
        """The fold stopped at `next_offset`, for this reason, before a batch with no telling where the next begins."""
    @property
    def records(self) -> int: ...
    @property
    def trades(self) -> int: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def late(self) -> int: ...
    @property
    def dead(self) -> int: ...
    @property
    def clocks(self) -> int: ...
    @property
    def corrections(self) -> int:
        """Corrections and cancellations that changed a bar."""
    @property
    def finals(self) -> int: ...
    @property
    def revisions(self) -> int: ...
    @property
    def newest_event_time_ns(self) -> int:
        """Of the trades accepted by this call; the least int64 when there was none."""
    @property
    def new_series(self) -> list[tuple[str, str]]:
        """Venue and instrument of each series that came with this call; with the first after a restore, of all."""

class PackedBatch:
    """Records for one partition of one topic, as a record batch that is whole but for who sends it and when."""

    @property
    def records(self) -> int: ...
    @property
    def size(self) -> int:
        """Bytes of the batch."""
    def marked(self, producer_id: int, producer_epoch: int, base_sequence: int, timestamp_ms: int) -> memoryview:
        """The batch in a producer's transaction; `base_sequence` is how many records it has sent before.

        It is a view of the batch itself, which is not to be marked again as long as somebody looks at it.
        """
    def stamped(self, timestamp_ms: int) -> memoryview:
        """The batch in no transaction, as `marked` gives it."""

class RecordBatchWriter:
    """Packs records for one partition of one topic into batches, compressed by LZ4, that every broker takes."""

    def __init__(self) -> None: ...
    def append(self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]] = ...) -> None:
        """Add a record behind the others; where a batch is full another is begun."""
    def take(self) -> list[PackedBatch]:
        """All that was appended since the last call."""

class Flush:
    """What changed since the last flush, to be written in one transaction."""

    @property
    def next_offset(self) -> int: ...
    @property
    def is_empty(self) -> bool: ...
    @property
    def changelog(self) -> list[PackedBatch]:
        """The state that is another now, tombstones for what is gone; the progress record is the last."""
    @property
    def bars(self) -> list[PackedBatch]: ...
    @property
    def bars_1s(self) -> list[PackedBatch]: ...
    @property
    def late(self) -> list[tuple[bytes | None, bytes | None, int, str]]:
        """Key and value as they came, and the offset; the reason is empty."""
    @property
    def dead(self) -> list[tuple[bytes | None, bytes | None, int, str]]:
        """Key and value as they came, the offset, and the reason."""
    @property
    def published(self) -> list[tuple[str, str, int, int, int, int, int, int]]:
        """Venue, instrument, place of the level, start in ns, revision, seq, trades and their lowest offset of each
        bar in `bars` and `bars_1s`, when trades are handed out."""
    @property
    def evicted(self) -> list[tuple[str, str, int, int]]:
        """Venue, instrument, place of the level and start in ns of each bar that left memory since the last flush,
        when trades are handed out."""

class TradeBatch:
    """Accepted trades of one base window of one instrument, in the order of the log. Each column is made when read.

    Where `is_whole`, a correction changed the window: these are all of its trades, and what was told of it before holds
    no more.
    """

    venue: str
    instrument: str
    start_ns: int
    is_whole: bool
    def __len__(self) -> int: ...
    @property
    def prices(self) -> list[int]:
        """In 10^-18 of the quote currency."""
    @property
    def sizes(self) -> list[int]:
        """In 10^-18 of the base currency."""
    @property
    def volumes(self) -> list[int]:
        """The size where the venue's rules count the trade to volume, else 0."""
    @property
    def sides(self) -> list[str]:
        """Of the aggressor: buy, sell or unknown."""
    @property
    def count_for_open_close(self) -> list[bool]:
        """Whether the venue's rules let the trade set the open and the close."""
    @property
    def count_for_high_low(self) -> list[bool]:
        """Whether they let it set the high and the low."""
    @property
    def orders(self) -> list[tuple[int, int]]:
        """The order by which a bar has its open and close: the venue's trade_seq, or else the event time; offset."""
    @property
    def event_times_ns(self) -> list[int]: ...
    @property
    def offsets(self) -> list[int]:
        """In `trades`."""
    @property
    def trade_ids(self) -> list[str]: ...

class PartitionFold:
    """The fold of one partition of `trades`. To be used by one thread at a time."""

    def __init__(
        self,
        config: FoldConfig,
        writer_schemas: WriterSchemas,
        *,
        bar_schema_id: int,
        live_schema_id: int,
        partition: int,
        epoch: str,
        generation: int,
    ) -> None: ...
    def restore(self, record_set: bytes | memoryview, aborted: Aborted, start_offset: int) -> int:
        """Take the changelog's records from `start_offset` on into the state; the next offset. Raises CorruptState."""
    def restored(self) -> Progress | None:
        """End the restore; None when the changelog was empty. Raises CorruptState."""
    def lacks_beginning(self) -> None:
        """Say, before anything is folded, that what the log once began with is gone.

        No window is published or shown that may have had trades there, by the log's time of its first record.
        """
    def hand_out_trades(self) -> None:
        """Keep accepted trades for `take_accepted` from now on; without it they cost nothing."""
    def take_accepted(self) -> list[TradeBatch]:
        """The trades accepted since the last call, by base window; windows in the order in which they came."""
    def has_bar(self, venue: str, instrument: str, level: int, start_ns: int) -> bool:
        """Whether a bar is in memory; the level is its place in `FoldConfig.levels_of`."""
    def fold(self, record_set: bytes | memoryview, aborted: Aborted, start_offset: int) -> FoldOutcome:
        """Fold the records from `start_offset` on."""
    def reread(self, record_set: bytes | memoryview, aborted: Aborted) -> int | None:
        """Take a record set of the stretch that `needs_history` asked for; what is outside of it changes nothing.

        The id of a schema that is unknown, at which it stopped: add or refuse it, and begin the stretch again.
        """
    def history_is_gone(self) -> None:
        """Say that the log no longer has that stretch: the correction becomes a dead letter."""
    def live(self) -> list[PackedBatch]:
        """A record of `bars.live` for each instrument whose forming bars changed since the last call."""
    def live_all(self) -> list[PackedBatch]:
        """The same for every instrument that has a forming bar."""
    def take_flush(self) -> Flush:
        """What changed since the last flush: state, finished bars, refused trades; empty where nothing was folded."""

class JoinConfig:
    """How trades are joined with quotes; the trades of `quoted_venues` wait for quotes, all others for none.

    `contiguous_venues` number an instrument's trades without a hole, and may begin to count anew.
    """

    def __init__(
        self,
        *,
        base_ns: int,
        horizon_ns: int,
        quote_horizon_ns: int,
        max_quote_age_ns: int,
        max_ahead_ns: int,
        quoted_venues: Sequence[str],
        contiguous_venues: Sequence[str],
    ) -> None: ...

class JoinOutcome:
    """What one call of `take_trades` or `take_quotes` did; the counts are of this call."""

    @property
    def next_offset(self) -> int:
        """Everything below is taken."""
    @property
    def needs_schema(self) -> int | None:
        """It stopped at `next_offset`, before a record of this unknown schema: add or refuse it, and go on."""
    @property
    def corrupt(self) -> str:
        """It stopped at `next_offset`, for this reason, before a batch with no telling where the next begins."""
    @property
    def trades(self) -> int:
        """Accepted, corrections and cancellations among them."""
    @property
    def duplicates(self) -> int: ...
    @property
    def late(self) -> int:
        """Trades refused as older than the horizon, or than the ids that a shorter one has left."""
    @property
    def unusable(self) -> int:
        """Records of `trades` that the fold makes dead letters of."""
    @property
    def quotes(self) -> int: ...
    @property
    def late_quotes(self) -> int:
        """Quotes behind their own venue's clock, refused."""
    @property
    def ignored(self) -> int:
        """Quotes of a venue that is none of `quoted_venues`."""
    @property
    def dead(self) -> int: ...

class JoinProgress:
    """How far the restored join had come, and from where each log is to be taken again."""

    @property
    def trades_epoch(self) -> str:
        """Kafka's id of the topic `trades`."""
    @property
    def trades_reached(self) -> int:
        """Next offset of trades: everything below it was taken."""
    @property
    def trades_from(self) -> int:
        """Offset of the first trade that still waits; what is from there on is taken again."""
    @property
    def quotes_epoch(self) -> str:
        """Kafka's id of the topic `quotes`."""
    @property
    def quotes_reached(self) -> int:
        """Next offset of quotes: everything below it was taken."""
    @property
    def quotes_from(self) -> int:
        """Offset from which on quotes are taken again, for trades that wait or are still to come."""
    @property
    def trades_gone(self) -> int:
        """Trades that waited for quotes and are in their log no more."""
    @property
    def quotes_gone(self) -> int:
        """Offsets of quotes that were to be read again, and are not: trades before them have none."""
    @property
    def lacks_older_quotes(self) -> bool:
        """They are in their log, and the older ones are not known that count by a longer age or horizon."""

class JoinFlush:
    """What is to be written in one transaction."""

    @property
    def trades_reached(self) -> int: ...
    @property
    def quotes_reached(self) -> int: ...
    @property
    def is_empty(self) -> bool: ...
    @property
    def changelog(self) -> list[PackedBatch]:
        """The state that is another now, tombstones for what is gone; the progress record is the last."""
    @property
    def joined(self) -> list[PackedBatch]: ...
    @property
    def dead(self) -> list[tuple[bytes | None, bytes | None, int, str]]:
        """Of `quotes`: key and value as they came, the offset, and the reason."""

class QuoteJoin:
    """The join of one partition of `trades` with the same of `quotes`. To be used by one thread at a time."""

    def __init__(
        self,
        config: JoinConfig,
        trade_schemas: WriterSchemas,
        quote_schemas: WriterSchemas,
        *,
        joined_schema_id: int,
        partition: int,
        trades_epoch: str,
        quotes_epoch: str,
    ) -> None: ...
    def restore(self, record_set: bytes | memoryview, aborted: Aborted, start_offset: int) -> int:
        """Take the changelog's records from `start_offset` on into the state; the next offset. Raises CorruptState."""
    def restored(self, trades_begin: int, quotes_begin: int) -> JoinProgress | None:
        """End the restore; None when the changelog was empty. Both logs begin there: what was before is left out.

        Raises:
            CorruptState: what was restored is no whole state.
        """
    def take_trades(self, record_set: bytes | memoryview, aborted: Aborted, start_offset: int) -> JoinOutcome:
        """Take the records of `trades` from `start_offset` on."""
    def take_quotes(self, record_set: bytes | memoryview, aborted: Aborted, start_offset: int) -> JoinOutcome:
        """Take the records of `quotes` from `start_offset` on."""
    def end_quotes(self, offset: int, trades_ms: int) -> None:
        """Say that `quotes` ended at this offset after `trades` had taken a record at this time."""
    def take_flush(self) -> JoinFlush:
        """Empty while nothing is new, and while trades that waited are read again."""
    @property
    def overdue_ms(self) -> int | None:
        """Not None where a trade waits for which no quote would count that came now: `quotes` may tell no time."""
    @property
    def waiting_for_quotes(self) -> int:
        """How many trades wait for quotes that are behind; 0 while those that waited before are read again."""
    @property
    def kept_quotes(self) -> int:
        """How many quotes trades may still ask for."""

def progress_record(epoch: str, generation: int, next_offset: int) -> tuple[bytes, bytes]:
    """Key and value of a changelog's progress record: with it alone a fold begins at `next_offset` with no state."""

def read_progress(value: bytes) -> Progress:
    """What a progress record's value says. Raises CorruptState."""

def end_of(record_set: bytes | memoryview, start_offset: int) -> int:
    """The offset behind the last whole record batch, or before it where it is damaged and its end cannot be told.

    `start_offset` when there is none, or that is behind it.
    """

def read_records(
    record_set: bytes | memoryview, aborted: Aborted
) -> tuple[
    list[tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes | None]], int]],
    list[tuple[int, int, bytes, str]],
]: ...
