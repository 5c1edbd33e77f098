"""The commands as people meet them."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import PROJECT, Settings, Venue
from cli.parts import bridge_config


def livetape(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wrong_setting_is_named_with_no_traceback() -> None:
    ended = livetape("status", LIVETAPE_NAMESPACE="Über")
    assert ended.returncode == 1
    assert "LIVETAPE_NAMESPACE" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_topics_are_listed_with_their_namespace() -> None:
    listed = livetape("topics", "list", LIVETAPE_NAMESPACE="demo").stdout
    assert "demo.trades " in listed
    assert "demo.fold-bars-changelog" in listed


def test_a_cluster_that_is_not_there_is_an_error_that_names_it() -> None:
    ended = livetape("topics", "apply", LIVETAPE_KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert ended.returncode == 1
    assert "Kafka at 127.0.0.1:1" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "command",
    [
        "up",
        "down",
        "status",
        "doctor",
        "demo",
        "live",
        "worker",
        "sink",
        "serve",
        "bridge",
        "relay",
        "reconcile",
        "topology",
    ],
)
def test_every_command_tells_what_it_does(command: str) -> None:
    assert livetape(command, "--help").stdout.count("\n") > 2


def test_the_bridge_is_told_the_venues_the_topic_and_the_schema_ids(tmp_path: Path) -> None:
    kraken = Venue(
        url="wss://127.0.0.1:9444/v2",
        rest_url="https://127.0.0.1:9444",
        instruments=("BTC-USDT",),
        ca_file=tmp_path / "ca.pem",
    )
    settings = Settings(namespace="demo", home=tmp_path, venues={"kraken": kraken}, kafka_client={"acks": "all"})
    assert bridge_config(
        settings,
        {"livetape.Trade": 7, "livetape.Clock": 9, "livetape.Gap": 5, "livetape.Quote": 4, "livetape.Candle": 6},
    ) == {
        "namespace": "demo",
        "kafka": {"bootstrap.servers": "127.0.0.1:29092", "acks": "all"},
        "topic": "demo.trades",
        "gaps_topic": "demo.gaps",
        "quotes_topic": "demo.quotes",
        "candles_topic": "demo.candles",
        "schema_ids": {"trade": 7, "clock": 9, "gap": 5, "quote": 4, "candle": 6},
        "zmq": {
            "data": "tcp://127.0.0.1:5556",
            "retry": "tcp://127.0.0.1:5557",
            "retry_bytes": 32 << 20,
        },
        "metrics": "127.0.0.1:9464",
        "relay_metrics": "127.0.0.1:9465",
        "errors_dir": str(tmp_path / "decode-errors"),
        "spool_dir": str(tmp_path / "spool" / "demo"),
        "spool_bytes": 4 << 30,
        "positions_dir": str(tmp_path / "positions" / "demo"),
        "clock_interval_ms": 250,
        "silence_ms": 60_000,
        "packet_feeds": [],
        "venues": [
            {
                "venue": "kraken",
                "url": "wss://127.0.0.1:9444/v2",
                "rest_url": "https://127.0.0.1:9444",
                "ca_file": str(tmp_path / "ca.pem"),
                "instruments": ["BTC-USDT"],
                "clock_delay_ms": 1000,
                "writer": "direct",
                "quotes": True,
                "candles": True,
            }
        ],
    }
