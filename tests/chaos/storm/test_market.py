"""What the market trades."""

from aiokafka.partitioner import murmur2

from tests.chaos.market import VENUES
from tests.integration.fold_kit import PARTITIONS


def test_every_partition_has_an_instrument() -> None:
    keys = [f"{venue}:{name}".encode() for venue, names in VENUES.items() for name in names]
    assert {(murmur2(key) & 0x7FFFFFFF) % PARTITIONS for key in keys} == set(range(PARTITIONS))
