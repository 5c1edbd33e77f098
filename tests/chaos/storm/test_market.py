"""What the market trades."""

from app.partitions import partition_of
from tests.chaos.market import VENUES
from tests.integration.fold_kit import PARTITIONS


def test_every_partition_has_an_instrument() -> None:
    keys = [f"{venue}:{name}".encode() for venue, names in VENUES.items() for name in names]
    assert {partition_of(key, PARTITIONS) for key in keys} == set(range(PARTITIONS))
