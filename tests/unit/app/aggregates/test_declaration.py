"""What can be declared, and the clear refusal of what cannot."""

import io
import json
import sys
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import fastavro
import pytest

from app.aggregates import Aggregate, AggregatesUnfit, Amount, Float, Integer, Text, Trades, declared, load_aggregates
from app.aggregates.schema import amount_bytes, avro_schema
from app.records import BadRecord, RecordReader
from app.settings import Settings
from app.topics import load_topics


class Base(Aggregate):
    def fold(self, trades: Trades) -> Any:
        return self if len(trades) == 0 else None

    def merge(self, later: Any) -> Any:
        return later


@dataclass(frozen=True)
class Everything(Base):
    """One field of each kind."""

    name = "everything"
    spread: Annotated[int | None, Amount("An amount that may be missing.", scale=8)] = None
    size: Annotated[int, Amount("An amount.")] = -1
    trades: Annotated[int, Integer("A number.")] = 7
    venue_id: Annotated[str, Text("A text.")] = "ü"
    ratio: Annotated[float, Float("A double.")] = 0.5


@dataclass(frozen=True)
class NoKind(Base):
    name = "no_kind"
    size: int = 0


@dataclass(frozen=True)
class Reserved(Base):
    name = "reserved"
    seq: Annotated[int, Integer("Taken.")] = 0


@dataclass(frozen=True)
class OfPostgres(Base):
    name = "of_postgres"
    ctid: Annotated[int, Integer("A column that every table has.")] = 0


@dataclass(frozen=True)
class FloatAmount(Base):
    name = "float_amount"
    size: Annotated[float, Amount("Would be rounded.")] = 0.0


@dataclass(frozen=True)
class TooManyPlaces(Base):
    name = "too_many_places"
    size: Annotated[int, Amount("An amount.", precision=8, scale=9)] = 0


@dataclass(frozen=True)
class TooManyDigits(Base):
    name = "too_many_digits"
    size: Annotated[int, Amount("An amount.", precision=4_001)] = 0


@dataclass(frozen=True)
class NegativeScale(Base):
    name = "negative_scale"
    size: Annotated[int, Amount("An amount.", scale=-1)] = 0


@dataclass(frozen=True)
class BadInit(Base):
    name = "bad_init"
    size: Annotated[int, Amount("Without a default.")]


@dataclass(frozen=True)
class BadName(Base):
    name = "Bad-Name"
    size: Annotated[int, Amount("An amount.")] = 0


@dataclass(frozen=True)
class NamedAsAPartition(Base):
    name = "vwap_20260101_2"
    size: Annotated[int, Amount("An amount.")] = 0


@dataclass
class Changeable(Base):
    name = "changeable"
    size: Annotated[int, Amount("An amount.")] = 0


@dataclass(frozen=True)
class Empty(Base):
    name = "empty"


@dataclass(frozen=True)
class OutsideOfInit(Base):
    name = "outside_of_init"
    size: Annotated[int, Amount("An amount.")] = field(default=0, init=False)


@dataclass(frozen=True)
class OfAnotherParameter(Base):
    name = "of_another_parameter"
    half: InitVar[int]
    size: Annotated[int, Amount("An amount.")] = 0

    @classmethod
    def init(cls) -> "OfAnotherParameter":
        return cls(0)


@dataclass(frozen=True, init=False)
class OwnInit(Base):
    name = "own_init"
    size: Annotated[int, Amount("An amount.")]

    def __init__(self) -> None:
        object.__setattr__(self, "size", 0)


@dataclass(frozen=True)
class Doubling(Base):
    name = "doubling"
    size: Annotated[int, Amount("An amount.")] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.size * 2)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (OutsideOfInit, "cannot be made of the values of its fields by their names, as each restart does: TypeError"),
        (OfAnotherParameter, "missing 1 required positional argument: 'half'"),
        (OwnInit, "unexpected keyword argument 'size'"),
        (Doubling, "made of the values [2], as each restart does, it has others: [4]"),
        (NoKind, "field size must say what it is"),
        (Reserved, "cannot be called seq"),
        (OfPostgres, "cannot be called ctid"),
        (FloatAmount, "field size is declared <class 'float'>, and Amount is <class 'int'>"),
        (TooManyPlaces, "field size has 9 decimal places of 8 digits"),
        (TooManyDigits, "field size has 4001 digits: 4000 are the most"),
        (NegativeScale, "field size has -1 decimal places of 38 digits"),
        (BadInit, "init failed: TypeError"),
        (BadName, "`name` must be lower-case"),
        (NamedAsAPartition, "`name` must not end in a day"),
        (Changeable, "frozen=True"),
        (Empty, "declares no field"),
        (int, "no subclass of app.aggregates.Aggregate"),
        ("Vwap", "no subclass of app.aggregates.Aggregate"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(wrong: Any, told: str) -> None:
    with pytest.raises(AggregatesUnfit) as refused:
        declared(wrong)
    assert told in str(refused.value)


def test_fields_that_were_declared_after_a_record_was_written_are_null_in_it() -> None:
    everything = declared(Everything)
    schema = avro_schema(everything)
    own = {field.name for field in everything.fields}
    before = {**schema, "fields": [part for part in schema["fields"] if part["name"] not in own]}
    name, read = written_by(before, {})
    assert name == everything.record
    assert {read[field] for field in own} == {None}


def written_by(schema: Any, values: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """A record of `Everything` by another schema, with some of its values, as it is read."""
    names = {"venue": "v", "instrument": "i", "interval": "1s", "epoch": "e", "state": "final"}
    numbers = dict.fromkeys(("start_ns", "revision", "trade_count", "seq", "generation", "partition"), 1)
    body = io.BytesIO(b"\0\0\0\0\x07")
    body.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), {**names, **numbers, **values})
    reader = RecordReader(Settings().schemas_dir, {7: json.dumps(schema)}.__getitem__, [declared(Everything)])
    return reader.read(body.getvalue())


@pytest.mark.parametrize(("places", "unscaled"), [(6, 125), (8, 12_500), (10, 1_250_000)])
def test_an_amount_that_was_written_with_other_places_is_the_same_amount(places: int, unscaled: int) -> None:
    schema = with_places(places)
    _, read = written_by(schema, {"spread": Decimal(unscaled).scaleb(-places), "size": Decimal(3).scaleb(-18)})
    assert (read["spread"], read["size"]) == (amount_bytes(12_500), amount_bytes(3))
    assert written_by(schema, {"spread": None, "size": Decimal(1)})[1]["spread"] is None


def test_an_amount_with_digits_that_there_are_no_places_for_any_more_is_refused() -> None:
    with pytest.raises(BadRecord, match="spread has more decimal places than are declared by now"):
        written_by(with_places(10), {"spread": Decimal("0.0000000001"), "size": Decimal(1)})


def with_places(places: int) -> Any:
    """The schema of `Everything` when its spread had so many decimal places."""
    return json.loads(json.dumps(avro_schema(declared(Everything))).replace('"scale": 8', f'"scale": {places}'))


@pytest.mark.parametrize("value", [0, 1, -1, 127, 128, -128, -129, 10**76 - 1, -(10**76) + 1])
def test_amounts_are_written_as_short_as_they_go(value: int) -> None:
    data = amount_bytes(value)
    assert int.from_bytes(data, "big", signed=True) == value
    assert len(data) == 1 or int.from_bytes(data[1:], "big", signed=True) != value


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a user's module; the setting that names its ALL."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(name: str, text: str) -> Settings:
        (tmp_path / f"{name}.py").write_text(text)
        return Settings(aggregates=f"{name}:ALL")

    return write


HEAD = f"from {__name__} import Everything\n"


def test_topics_are_those_of_the_pattern_for_each_aggregate(module: Any) -> None:
    settings = module("users_topics", f"{HEAD}ALL = [Everything]\n")
    topics = load_topics(settings)
    assert topics["aggregates.everything"].schemas == ("livetape.aggregates.everything",)
    assert topics["aggregates.everything"].partitions == topics["trades"].partitions
    assert topics.keys() - load_topics(Settings()).keys() == {"aggregates.everything", "fold-aggregates-changelog"}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("users_twice", f"{HEAD}ALL = [Everything, Everything]", "two aggregates have the name everything"),
        ("users_none", "", "has no list or tuple ALL"),
        ("users_broken", "1 / 0", "cannot be imported: ZeroDivisionError"),
    ],
)
def test_a_module_that_cannot_be_used_is_refused_with_the_reason(module: Any, name: str, text: str, told: str) -> None:
    settings = module(name, text)
    with pytest.raises(AggregatesUnfit, match=told):
        load_aggregates(settings)


@pytest.mark.parametrize(("setting", "told"), [("nowhere:ALL", "No module named"), ("nowhere", "must be `module:NA")])
def test_a_setting_that_names_nothing_is_refused(setting: str, told: str) -> None:
    with pytest.raises(AggregatesUnfit, match=told):
        load_aggregates(Settings(aggregates=setting))
