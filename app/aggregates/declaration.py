"""What a user writes to have an aggregate: a frozen dataclass with typed fields, a batch fold and a merge."""

import dataclasses
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Protocol, Self, get_args, get_origin, get_type_hints

from app.amounts import PRICE_SCALE

LARGEST_LONG: Final = 2**63 - 1
MAX_TEXT_BYTES: Final = 65_536
MAX_DIGITS: Final = 4_000
"""Of an amount: the state is text, and Python makes none of a number of more than 4,300 digits."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DAY_AT_ITS_END: Final = re.compile(r".*_[0-9]{8}(_[0-9]+)?")
"""As the partitions of another aggregate's table are called."""
ENVELOPE: Final = (
    "venue", "instrument", "interval", "start_ns", "day", "state", "revision", "trade_count", "seq", "epoch",
    "generation", "partition",
)  # fmt: skip
"""What every record has beside the user's fields."""
_POSTGRES: Final = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
"""Columns that every table of Postgres has: https://www.postgresql.org/docs/current/ddl-system-columns.html."""
_RESERVED: Final = {*ENVELOPE, *_POSTGRES, "name", "version", "init", "fold", "merge"}


class AggregatesUnfit(Exception):
    """What the setting `aggregates` names cannot be used; the message says why and what would be right."""


class BadValue(Exception):
    """A field has a value that its declaration does not allow; the message names both."""


class Trades(Protocol):
    """Accepted trades of one base window of one instrument, in the order of the log; a column has a value a trade.

    Each column is made when it is read: take what you need, once. After a correction they are all trades of the window.
    """

    @property
    def venue(self) -> str:
        """Lower-case name of the venue."""

    @property
    def instrument(self) -> str:
        """Canonical name, BASE-QUOTE."""

    @property
    def start_ns(self) -> int:
        """Start of the base window."""

    @property
    def is_whole(self) -> bool:
        """Whether these are all trades of the window, after a correction."""

    def __len__(self) -> int: ...

    @property
    def prices(self) -> Sequence[int]:
        """In 10^-18 of the quote currency."""

    @property
    def sizes(self) -> Sequence[int]:
        """In 10^-18 of the base currency."""

    @property
    def volumes(self) -> Sequence[int]:
        """The size where the venue's rules count the trade to volume, else 0."""

    @property
    def sides(self) -> Sequence[str]:
        """Of the aggressor: buy, sell or unknown."""

    @property
    def count_for_open_close(self) -> Sequence[bool]:
        """Whether the venue's rules let the trade set the open and the close."""

    @property
    def count_for_high_low(self) -> Sequence[bool]:
        """Whether they let it set the high and the low."""

    @property
    def orders(self) -> Sequence[tuple[int, int]]:
        """The order by which a bar has its open and close: the venue's trade_seq, or else the event time; offset."""

    @property
    def event_times_ns(self) -> Sequence[int]:
        """By the venue's clock, in nanoseconds since 1970-01-01T00:00:00Z."""

    @property
    def offsets(self) -> Sequence[int]:
        """In the topic `trades`."""

    @property
    def trade_ids(self) -> Sequence[str]:
        """The venue's own ids."""


class Aggregate(ABC):
    """Base of all aggregates: a frozen dataclass whose fields are both its state and what it publishes.

    `fold` must not depend on how trades are cut into batches, and `merge` must be associative; both return a new
    object. They are called with the windows of one instrument in order of time.
    """

    __slots__ = ()
    name: ClassVar[str]
    """Of its topic, its table and its channel: lower-case letters, digits and underscores."""
    version: ClassVar[int] = 1
    """To be raised with every change of what it computes: it then begins anew, at the next window."""

    @classmethod
    def init(cls) -> Self:
        """What no trade at all sums up to: the defaults of the fields."""
        return cls()

    @abstractmethod
    def fold(self, trades: Trades) -> Self:
        """This with more trades of its window, which came later in the log."""

    @abstractmethod
    def merge(self, later: Self) -> Self:
        """This with the window of the same instrument that follows it in time."""


@dataclass(frozen=True)
class Integer:
    """A whole number of 64 bits."""

    doc: str
    type: ClassVar[type] = int

    def check(self, value: Any) -> None:  # noqa: ANN401 - whatever the user's code gave
        """Raise BadValue for anything else."""
        if abs(value) > LARGEST_LONG:
            raise BadValue(f"{value} does not fit into 64 bits")


@dataclass(frozen=True)
class Amount:
    """An exact decimal; in Python the whole number of its last decimal place, 10^-scale."""

    doc: str
    precision: int = 38
    scale: int = PRICE_SCALE
    type: ClassVar[type] = int

    def check(self, value: Any) -> None:  # noqa: ANN401 - as above
        """Raise BadValue for one of too many digits."""
        if abs(value) >= 10**self.precision:
            raise BadValue(f"{value} has more than {self.precision} digits")


@dataclass(frozen=True)
class Text:
    """A text."""

    doc: str
    type: ClassVar[type] = str

    def check(self, value: Any) -> None:  # noqa: ANN401 - as above
        """Raise BadValue for what Postgres or Kafka would refuse."""
        try:
            is_too_long = len(value.encode()) > MAX_TEXT_BYTES
        except UnicodeEncodeError as error:
            raise BadValue("a text has a surrogate in it, which is no character") from error
        if is_too_long or "\0" in value:
            raise BadValue(f"a text has a NUL character in it or more than {MAX_TEXT_BYTES} bytes")


@dataclass(frozen=True)
class Float:
    """A double: rounded, so equal only to what was computed in the same order."""

    doc: str
    type: ClassVar[type] = float

    def check(self, value: Any) -> None:  # noqa: ANN401 - as above
        """Raise BadValue for infinity and what is no number."""
        if not math.isfinite(value):
            raise BadValue(f"{value} is not finite")


Kind = Integer | Amount | Text | Float
_KINDS: Final = (Integer, Amount, Text, Float)


@dataclass(frozen=True)
class Field:
    """A declared field; `default` is its value where there is no trade."""

    name: str
    kind: Kind
    is_nullable: bool
    default: Any

    def check(self, value: Any) -> None:  # noqa: ANN401 - whatever the user's code gave
        """Make sure that the value is what was declared: a float that slipped into an amount is an error.

        Raises:
            BadValue: it is not.
        """
        if value is None and self.is_nullable:
            return
        if type(value) is not self.kind.type:
            raise BadValue(f"{self.name} must be {self.kind.type.__name__}, and is {type(value).__name__}: {value!r}")
        try:
            self.kind.check(value)
        except BadValue as bad:
            raise BadValue(f"{self.name}: {bad}") from bad


@dataclass(frozen=True)
class Declared:
    """An aggregate that was looked at and can be used."""

    type: type[Aggregate]
    name: str
    version: int
    doc: str
    fields: tuple[Field, ...]

    @property
    def topic(self) -> str:
        """Its topic without namespace, which is its channel of /ws as well."""
        return f"aggregates.{self.name}"

    @property
    def record(self) -> str:
        """Full name of its record type."""
        return f"livetape.aggregates.{self.name}"

    @property
    def table(self) -> str:
        """Its table in Postgres."""
        return f"aggregate_{self.name}"

    def values(self, state: Any) -> list[Any]:  # noqa: ANN401 - whatever the user's code gave
        """The fields' values in their order.

        Raises:
            BadValue: one of them is not what was declared.
        """
        if type(state) is not self.type:
            raise BadValue(f"a {self.type.__name__} must be returned, and not a {type(state).__name__}")
        values = [getattr(state, field.name) for field in self.fields]
        for field, value in zip(self.fields, values, strict=True):
            field.check(value)
        return values

    def restored(self, values: Sequence[Any]) -> Aggregate:
        """What has these values, in the fields' order; raises whatever the user's code does."""
        return self.type(**dict(zip((field.name for field in self.fields), values, strict=True)))


def declared(aggregate: Any) -> Declared:  # noqa: ANN401 - whatever the user's module has
    """Look at a user's class.

    Raises:
        AggregatesUnfit: it is no aggregate, or declares something that cannot be used.
    """
    if not (isinstance(aggregate, type) and issubclass(aggregate, Aggregate)):
        raise AggregatesUnfit(f"{aggregate!r} is no subclass of app.aggregates.Aggregate")
    told = f"aggregate {aggregate.__name__}"
    name = getattr(aggregate, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise AggregatesUnfit(f"{told}: `name` must be lower-case letters, digits and underscores, and is {name!r}")
    if _DAY_AT_ITS_END.fullmatch(name):
        raise AggregatesUnfit(f"{told}: `name` must not end in a day, as tables' partitions of one day do: {name!r}")
    if not getattr(aggregate.__dict__.get("__dataclass_params__"), "frozen", False):
        raise AggregatesUnfit(f"{told} must be decorated by @dataclass(frozen=True)")
    try:
        nothing = aggregate.init()
        hints = get_type_hints(aggregate, include_extras=True)
    except Exception as error:
        raise AggregatesUnfit(f"{told}: init failed: {type(error).__name__}: {error}") from error
    parts = dataclasses.fields(aggregate)  # type: ignore[arg-type]  # it is a dataclass, as was just seen
    fields = tuple(_field(told, part.name, hints[part.name], nothing) for part in parts)
    if not fields:
        raise AggregatesUnfit(f"{told} declares no field")
    found = Declared(aggregate, name, aggregate.version, (aggregate.__doc__ or "").strip(), fields)
    try:
        values = found.values(nothing)
    except BadValue as bad:
        raise AggregatesUnfit(f"{told}: init: {bad}") from bad
    _check_restored(told, found, values)
    return found


def _check_restored(told: str, found: Declared, values: list[Any]) -> None:
    """A worker that starts again makes what it had of its fields' values: look that this gives the same."""
    try:
        again = found.values(found.restored(values))
    except Exception as error:
        raise AggregatesUnfit(
            f"{told} cannot be made of the values of its fields by their names, as each restart does: "
            f"{type(error).__name__}: {error}"
        ) from error
    if again != values:
        raise AggregatesUnfit(f"{told}: made of the values {values}, as each restart does, it has others: {again}")


def _field(told: str, name: str, hint: Any, nothing: Aggregate) -> Field:  # noqa: ANN401 - any annotation
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise AggregatesUnfit(f"{told}: a field cannot be called {name}: such names are taken or not lower-case")
    kinds = [extra for extra in get_args(hint) if isinstance(extra, _KINDS)] if get_origin(hint) is Annotated else []
    if len(kinds) != 1:
        raise AggregatesUnfit(
            f'{told}: field {name} must say what it is: Annotated[int, Amount("…")], Integer, Text or Float'
        )
    (kind,) = kinds
    plain = get_args(hint)[0]
    if plain not in (kind.type, kind.type | None):
        raise AggregatesUnfit(f"{told}: field {name} is declared {plain}, and {type(kind).__name__} is {kind.type}")
    if isinstance(kind, Amount) and kind.precision > MAX_DIGITS:
        raise AggregatesUnfit(
            f"{told}: field {name} has {kind.precision} digits: {MAX_DIGITS} are the most of which Python makes text"
        )
    if isinstance(kind, Amount) and (kind.precision < 1 or not 0 <= kind.scale <= kind.precision):
        raise AggregatesUnfit(
            f"{told}: field {name} has {kind.scale} decimal places of {kind.precision} digits: from 0 to all may be"
        )
    return Field(name, kind, is_nullable=plain is not kind.type, default=getattr(nothing, name))
