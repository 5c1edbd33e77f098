"""The bridge's folders know only those below them."""

import re
from collections import defaultdict

from app.settings import PROJECT

BELOW = {
    "core": set[str](),
    "exchange": {"core"},
    "nic": {"core"},
    "publish": {"core"},
    "relay": {"core", "publish"},
    "record": {"core", "exchange", "nic", "publish"},
}
METRICS = ("core/metrics.hpp", "nic/packet_metrics.hpp")
"""All metrics are one list, to be told as one text: those of packets in it are counted by what packets may be."""


def test_no_folder_of_the_bridge_includes_what_is_above_it() -> None:
    included: defaultdict[str, set[str]] = defaultdict(set)
    for folder in BELOW:
        for path in (PROJECT / "bridge" / folder).rglob("*.[ch]pp"):
            for header in re.findall(r'^#include "(.+)"', path.read_text(), re.MULTILINE):
                if (str(path.relative_to(PROJECT / "bridge")), header) != METRICS:
                    included[folder].add(header.partition("/")[0])
    known = {folder: {other for other in of if other in BELOW} - {folder} for folder, of in included.items()}
    assert known == BELOW
