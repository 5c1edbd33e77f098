"""`livetape status` of a bridge, by the text of its metrics."""

import io

from rich.console import Console

from cli.bridge_status import bridge_table

METRICS = """
# TYPE livetape_bridge_trades_total counter
livetape_bridge_trades_total{venue="binance"} 12345
livetape_bridge_trades_total{venue="kraken"} 0
# TYPE livetape_bridge_connected gauge
livetape_bridge_connected{venue="binance"} 2
livetape_bridge_connected{venue="kraken"} 0
# TYPE livetape_bridge_least_lag_seconds gauge
livetape_bridge_least_lag_seconds{venue="binance"} -1.25
# TYPE livetape_bridge_clock_offset_seconds gauge
livetape_bridge_clock_offset_seconds{venue="binance"} 1.2604
# TYPE livetape_bridge_holding gauge
livetape_bridge_holding{venue="binance"} 1
"""


def test_each_venue_is_shown_with_its_clock() -> None:
    table = bridge_table(METRICS)
    shown = io.StringIO()
    Console(file=shown, width=120).print(table)
    _, binance, kraken = shown.getvalue().splitlines()
    assert binance.split() == ["binance", "2", "12,345", "-1,250.0", "ms", "1,260.4", "ms"]
    assert kraken.split() == ["kraken", "0", "0", *2 * ["not", "known", "yet"]]


def test_a_bridge_that_reads_nothing_has_no_table() -> None:
    assert (
        bridge_table("# TYPE livetape_bridge_zeromq_sent_total counter\nlivetape_bridge_zeromq_sent_total 0\n") is None
    )
