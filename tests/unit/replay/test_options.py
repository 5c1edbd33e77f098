"""What the options of `livetape replay` take, and what they refuse by name."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local import certificates
from replay.command import app
from replay.options import (
    read_address,
    read_host,
    read_instruments,
    read_rate,
    read_speed,
    read_stocks,
    read_venues,
)
from replay.venues import VenueName


def test_options_are_read_as_they_say() -> None:
    assert read_instruments("--instruments", "BTC-USDT, ETH-USDT") == ["BTC-USDT", "ETH-USDT"]
    assert read_stocks("AAPL,BRK.B") == ["AAPL", "BRK.B"]
    assert (read_speed("0.5"), read_speed("max")) == (0.5, None)
    assert (read_rate("2000"), read_rate("max")) == (2_000, None)
    assert read_address("--line", "239.77.2.1:26400") == ("239.77.2.1", 26_400)
    assert read_venues(["binance=9443", "okx=0"]) == {VenueName.BINANCE: 9_443, VenueName.OKX: 0}


@pytest.mark.parametrize(
    ("option", "read", "texts"),
    [
        ("--instruments", lambda text: read_instruments("--instruments", text), ["", "BTC", "BTC-", "-USD", "A-B-C"]),
        ("--instruments", lambda text: read_instruments("--instruments", text), ["BTC-USD,BTC-USD", "B C-USD"]),
        ("--stocks", read_stocks, ["", ",", "LONGERTHAN8", "A B", "Ä", "AAPL,AAPL"]),
        ("--speed", read_speed, ["0", "-5", "nan", "inf", "fast", ""]),
        ("--rate", read_rate, ["0", "0.5", "-5", "nan", "inf", "fast", ""]),
        (
            "--line",
            lambda text: read_address("--line", text),
            ["127.0.0.1:99999", "127.0.0.1:0", "x:1", "127.0.0.1"],
        ),
        ("--interface", lambda text: read_host("--interface", text), ["eth0", ""]),
        ("--venue", lambda text: read_venues([text]), ["binance=99999", "binance", "binance=-1", "nowhere=1"]),
    ],
)
def test_an_option_that_cannot_be_followed_is_named(
    option: str, read: Callable[[str], object], texts: list[str]
) -> None:
    for text in texts:
        with pytest.raises(ValueError, match=f"^{option} {text!r}: "):
            read(text)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rate", "-5"), "--rate '-5': "),
        (("--stocks", ""), "--stocks '': "),
        (("--timezone", "Foo/Bar"), "--timezone: 'Foo/Bar' is no time zone"),
        (("--rerequest", "127.0.0.1:99999"), "--rerequest '127.0.0.1:99999': "),
    ],
)
def test_a_packet_feed_does_not_begin_with_what_it_cannot_follow(options: tuple[str, str], said: str) -> None:
    ended = CliRunner().invoke(app, ["packets", "--line", "127.0.0.1:9", *options])
    assert ended.exit_code == 1
    assert ended.stderr.startswith(said)


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        ("own/server.key", "own/server.key", "--cert own/server.key: it has no certificate"),
        ("own/server.pem", "own/server.pem", "--key own/server.pem: it has no private key"),
        ("own/server.pem", "other/server.key", "--key other/server.key: it has no private key"),
        ("own", "own/server.key", "--cert own: Is a directory"),
        ("own/server.pem", "own", "--key own: Is a directory"),
    ],
)
def test_a_file_that_is_no_certificate_or_key_is_named_with_its_option(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cert: str, key: str, said: str
) -> None:
    for name in ("own", "other"):
        certificates.ensure(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app, ["market", "--cert", cert, "--key", key, "--venue", "kraken=0"])
    assert ended.exit_code == 1
    assert ended.stderr.startswith(said)


def test_several_files_of_a_packet_feed_are_captures(tmp_path: Path) -> None:
    files = [tmp_path / "day.itch", tmp_path / "day.pcap"]
    options = []
    for file in files:
        file.write_bytes(b"")
        options += ["--file", str(file)]
    ended = CliRunner().invoke(app, ["packets", "--line", "127.0.0.1:9", *options])
    assert ended.exit_code == 1
    assert ended.stderr.startswith("--file: one ITCH file can be played, or several captures")
