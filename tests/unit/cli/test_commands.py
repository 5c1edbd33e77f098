"""The commands as people meet them."""

import json
import os
import re
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import typer
from typer.models import CommandInfo

from agents.reconcile import build_reconcile
from agents.sql_sink import build_sink
from app.api import build_api
from app.schema_files import SchemasUnfit
from app.settings import PROJECT, Settings
from app.sources import VenueConfig
from app.topics import load_topics
from cli import doctor, parts, preparation, state
from cli.console import WrongSetting
from cli.dead_letters import list_letters
from cli.main import app
from cli.parts import bridge_config
from cli.run_parts import api_url
from local import ports


def livetape(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


NOBODY = "127.0.0.1:1"
HANGS_S = 120
DEAD_REGISTRY = {"LIVETAPE_REGISTRY_URL": f"http://{NOBODY}"}
NO_SCHEMAS = {"LIVETAPE_SCHEMAS_DIR": "/nowhere"}
NO_VENUES = {"LIVETAPE_VENUES_FILE": "/nowhere/venues.yaml"}
UNKNOWN_PROPERTY = {"LIVETAPE_KAFKA_CLIENT": '{"no.such.property": "1"}'}
NO_AUTHORITY = {"LIVETAPE_KAFKA_CLIENT": '{"security.protocol": "SSL", "ssl.ca.location": "/nowhere/ca.pem"}'}
NO_PORT = {"LIVETAPE_PACKET_FEEDS": '{"nasdaq": {"lines": ["239.77.2.1:26400", "239.77.2.2"]}}'}
NO_FOLDER = {"LIVETAPE_HOME": "/dev/null"}


@pytest.mark.parametrize(
    ("command", "environment", "said"),
    [
        ("status", {"LIVETAPE_NAMESPACE": "Über"}, "LIVETAPE_NAMESPACE"),
        (
            "status",
            {"LIVETAPE_NAMESPCE": "demo"},
            "NAMESPCE is no setting: is LIVETAPE_NAMESPACE meant?",
        ),
        ("status", {"LIVETAPE_BRIDGE_METRICS": "[::1"}, "LIVETAPE_BRIDGE_METRICS"),
        ("topics list", {"LIVETAPE_TOPICS_FILE": "/nowhere/topics.yaml"}, "set LIVETAPE_TOPICS_FILE to"),
        ("topics apply", UNKNOWN_PROPERTY, "LIVETAPE_KAFKA_CLIENT"),
        ("topics apply", NO_AUTHORITY, "ssl.ca.location"),
        ("bridge", DEAD_REGISTRY, "LIVETAPE_REGISTRY_URL"),
        ("bridge", {"LIVETAPE_REGISTRY_URL": "http://[::1"}, "LIVETAPE_REGISTRY_URL"),
        ("bridge", {"LIVETAPE_REGISTRY_URL": "http://registry", "ALL_PROXY": "socks5://x:1"}, "all_proxy"),
        ("relay", DEAD_REGISTRY, "LIVETAPE_REGISTRY_URL"),
        ("record", NO_VENUES, "set LIVETAPE_VENUES_FILE to"),
        ("record", NO_FOLDER, "/dev/null"),
        ("worker", NO_VENUES, "set LIVETAPE_VENUES_FILE to"),
        ("worker", UNKNOWN_PROPERTY, "LIVETAPE_KAFKA_CLIENT has no.such.property"),
        ("worker", NO_AUTHORITY, "LIVETAPE_KAFKA_CLIENT has ssl.ca.location /nowhere/ca.pem: No such file"),
        ("worker", NO_FOLDER, "/dev/null"),
        ("join", NO_VENUES, "set LIVETAPE_VENUES_FILE to"),
        ("reconcile", NO_VENUES, "set LIVETAPE_VENUES_FILE to"),
        ("worker", {"LIVETAPE_INTERVALS": '["1h"]'}, "LIVETAPE_HORIZON_NS must be at least 3601000000000, "),
        ("reconcile", {"LIVETAPE_INTERVALS": '["1s"]'}, "add 1m to LIVETAPE_INTERVALS"),
        ("serve", NO_VENUES, "set LIVETAPE_VENUES_FILE to"),
        ("serve", {"LIVETAPE_TOPICS_FILE": "/nowhere/topics.yaml"}, "set LIVETAPE_TOPICS_FILE to"),
        ("serve", {"LIVETAPE_AGGREGATES": "nowhere:x:"}, "LIVETAPE_AGGREGATES=nowhere:x:"),
        ("serve", {"LIVETAPE_POSTGRES_URL": "postgres://livetape@db"}, "LIVETAPE_POSTGRES_URL: "),
        ("sink", {"LIVETAPE_METRICS_HOST": "worker"}, "LIVETAPE_METRICS_HOST: "),
        ("sink", {"LIVETAPE_METRICS_HOST": "192.0.2.1"}, "no address of this machine: look at LIVETAPE_METRICS_HOST"),
        ("serve", {"LIVETAPE_API_PORT": "0"}, "LIVETAPE_API_PORT: "),
        ("serve", {"LIVETAPE_ZMQ_DATA": "127.0.0.1:5556"}, "LIVETAPE_ZMQ_DATA: "),
        ("serve", {"LIVETAPE_ZMQ_RETRY": "tcp://bridge"}, "LIVETAPE_ZMQ_RETRY: "),
        ("serve", {"LIVETAPE_ZMQ_RETRY": "tcp://127.0.0.1:*"}, "LIVETAPE_ZMQ_RETRY: "),
        ("bridge", NO_PORT, "LIVETAPE_PACKET_FEEDS__NASDAQ__LINES__1: Value error, '239.77.2.2' is no IPv4 address"),
        ("sink", {"LIVETAPE_AGGREGATES": "nowhere:x:"}, "LIVETAPE_AGGREGATES=nowhere:x:"),
        ("topology", UNKNOWN_PROPERTY, "LIVETAPE_KAFKA_CLIENT has no.such.property"),
        ("topology", NO_VENUES, "set LIVETAPE_VENUES_FILE to"),
        ("dead-letters list", UNKNOWN_PROPERTY, "LIVETAPE_KAFKA_CLIENT"),
        ("dead-letters send /nowhere", {}, "/nowhere: No such file"),
        ("up", NO_FOLDER, "/dev/null"),
    ],
)
def test_what_cannot_be_done_is_said_in_plain_words(command: str, environment: dict[str, str], said: str) -> None:
    ended = livetape(*command.split(), **environment)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


LETTER = {"topic": "live.trades", "partition": 0, "offset": 0, "time": "2026-03-09T00:00:00Z", "reason": "any"}


@pytest.mark.parametrize(
    "command", ["topics apply", "reset --yes", "reset --join --yes", "dead-letters list", "dead-letters send {file}"]
)
def test_a_kafka_that_does_not_answer_is_named_with_what_to_do(command: str, tmp_path: Path) -> None:
    file = tmp_path / "letters"
    file.write_text(json.dumps(LETTER | {"key": None, "value": "00"}))
    ended = livetape(*command.format(file=file).split(), LIVETAPE_KAFKA_BOOTSTRAP=NOBODY)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: Kafka at {NOBODY} does not answer: ")
    assert "`livetape up`" in ended.stderr
    assert "LIVETAPE_KAFKA_BOOTSTRAP" in ended.stderr


def test_letters_that_the_locale_lacks_are_printed_as_question_marks(tmp_path: Path) -> None:
    home = str(tmp_path / "ж")
    ended = livetape("down", "--clean", LIVETAPE_HOME=home, PYTHONIOENCODING="latin-1")
    assert ended.returncode == 0, ended.stderr
    assert f"? data                       removed from {tmp_path}/?" in ended.stdout


@pytest.mark.parametrize(
    "command",
    ["bridge", "relay", "worker", "sink", "join", "reconcile", "serve", "topology", "dead-letters send /dev/null"],
)
def test_no_part_begins_without_our_schemas(command: str) -> None:
    ended = livetape(*command.split(), **NO_SCHEMAS)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: /nowhere has no bar.avsc, ")
    assert "trade.avsc: set LIVETAPE_SCHEMAS_DIR to the project's schemas" in ended.stderr


@pytest.mark.parametrize("build", [build_sink, build_reconcile, build_api])
def test_nor_does_one_that_its_own_framework_starts(build: Callable[[Settings], object], tmp_path: Path) -> None:
    with pytest.raises(SchemasUnfit, match="set LIVETAPE_SCHEMAS_DIR to"):
        build(Settings(schemas_dir=tmp_path))


@pytest.mark.parametrize(
    ("hours", "intervals", "said"),
    [
        ("{calendar: NYSEE, bars: {1d: [regular]}}", '["1s"]', "venue nyse: 'NYSEE' is no calendar"),
        ("{calendar: NYSE, bars: {1d: [regular]}}", '["8m"]', "venue nyse: 1d is not made of windows"),
    ],
)
def test_a_worker_with_hours_that_it_cannot_follow_does_not_begin(
    tmp_path: Path, hours: str, intervals: str, said: str
) -> None:
    file = tmp_path / "venues.yaml"
    file.write_text(f"nyse: {{hours: {hours}}}")
    ended = livetape("worker", LIVETAPE_VENUES_FILE=str(file), LIVETAPE_INTERVALS=intervals)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {said}")


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        ("worker", "LIVETAPE_WORKER_METRICS_PORT"),
        ("sink", "LIVETAPE_SINK_METRICS_PORT"),
        ("join", "LIVETAPE_JOIN_METRICS_PORT"),
        ("reconcile", "LIVETAPE_RECONCILE_METRICS_PORT"),
    ],
)
def test_a_port_of_metrics_that_is_taken_is_named_with_its_setting(command: str, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = livetape(command, **{setting: str(port)})
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: port {port} of /metrics is taken by ")
    assert f"choose another port with {setting}" in ended.stderr


def test_a_port_of_metrics_is_looked_at_where_it_is_to_be_served() -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = str(taken.getsockname()[1])
        served = {"LIVETAPE_SINK_METRICS_PORT": port, "LIVETAPE_METRICS_HOST": "127.0.0.2"}
        ended = livetape("sink", **served, LIVETAPE_HOME="/dev/null")
    assert ended.stderr.startswith(f"error: port {port} of /metrics is taken by ")


def test_an_api_that_cannot_listen_where_it_is_set_to_ends_a_run_before_it_begins(tmp_path: Path) -> None:
    ended = livetape("live", LIVETAPE_API_HOST="192.0.2.1", LIVETAPE_HOME=str(tmp_path))
    assert ended.returncode == 1
    assert "192.0.2.1, which is no address of this machine: look at LIVETAPE_API_HOST" in ended.stderr


JSON_SETTINGS = [name for name, field in Settings.model_fields.items() if isinstance(field.default, tuple | dict)]


@pytest.mark.parametrize("setting", JSON_SETTINGS)
def test_a_setting_that_must_be_json_is_named_with_an_example_that_is_taken(setting: str) -> None:
    name = f"LIVETAPE_{setting.upper()}"
    ended = livetape("topics", "list", **{name: "{'a': 'b'}"})
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {name} must be JSON: ")
    example = ended.stderr.partition(f"{name}='")[2].removesuffix("'\n")
    assert livetape("topics", "list", **{name: example}).returncode == 0


ELSEWHERE = {"LIVETAPE_KAFKA_BOOTSTRAP": "k1.example:9092,k2.example:9092"}


def test_the_status_of_an_operator_of_a_cluster_tells_what_the_bridge_reads(tmp_path: Path) -> None:
    answer = b'livetape_bridge_connected{venue="kraken"} 1\n'
    with metrics_server(answer) as address:
        told = livetape("status", **ELSEWHERE, LIVETAPE_BRIDGE_METRICS=address, LIVETAPE_HOME=str(tmp_path))
    assert told.returncode == 0, told.stderr
    assert re.search("Kafka +elsewhere +k1.example:9092,k2.example:9092", told.stdout)
    assert re.search("schema registry +(stopped|port taken)", told.stdout)
    assert "kraken" in told.stdout


def test_the_status_is_told_behind_a_proxy(tmp_path: Path) -> None:
    proxies = {"http_proxy": f"http://{NOBODY}", "ALL_PROXY": f"socks5://{NOBODY}"}
    with metrics_server(b'livetape_bridge_connected{venue="kraken"} 1\n') as address:
        told = livetape("status", LIVETAPE_BRIDGE_METRICS=address, LIVETAPE_HOME=str(tmp_path), **ELSEWHERE, **proxies)
    assert told.returncode == 0, told.stderr
    assert "kraken" in told.stdout


@contextmanager
def metrics_server(answer: bytes) -> Iterator[str]:
    """The address of a server that gives this answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("setting", "address"),
    [
        ("LIVETAPE_ZMQ_DATA", "tcp://*:{}"),
        ("LIVETAPE_ZMQ_RETRY", "tcp://127.0.0.1:{}"),
        ("LIVETAPE_BRIDGE_METRICS", "0.0.0.0:{}"),
    ],
)
def test_the_doctor_looks_at_the_ports_of_the_bridge(setting: str, address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = livetape("doctor", **ELSEWHERE, **{setting: address.format(port)}).stdout
    assert re.search(rf"✗ port {port} .* taken by .*: stop it, or choose another port with {setting}", told)
    assert "elsewhere, at k1.example:9092,k2.example:9092" in told


@pytest.mark.parametrize(
    ("answer", "said"),
    [(b'{"ready": false, "namespace": "live"}', "✓ port {} .API. +ours"), (b"{}", "✗ port {} .API. +taken by ")],
)
def test_the_doctor_takes_an_api_of_livetape_for_ours(answer: bytes, said: str) -> None:
    with metrics_server(answer) as address:
        port = address.rpartition(":")[2]
        told = livetape("doctor", **ELSEWHERE, LIVETAPE_API_PORT=port).stdout
    assert re.search(said.format(port), told)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "a..b"])
def test_the_doctor_says_that_the_api_cannot_listen_at_an_address_that_is_not_here(host: str) -> None:
    told = livetape("doctor", **ELSEWHERE, LIVETAPE_API_HOST=host)
    assert re.search(rf"✗ port \d+ .API. +{host} is no address of this machine: look at LIVETAPE_API_HOST", told.stdout)
    assert told.stderr == ""


@pytest.mark.skipif(not ports.is_here("::1"), reason="no IPv6 here")
def test_the_doctor_looks_for_the_api_at_an_ipv6_address_too() -> None:
    (port,) = ports.free_ports(1)
    told = livetape("doctor", **ELSEWHERE, LIVETAPE_API_HOST="::1", LIVETAPE_API_PORT=str(port))
    assert re.search(rf"✓ port {port} .API. +free", told.stdout), told.stderr


@pytest.mark.parametrize(
    ("url", "proxy"), [("http://[zz::]:8000", {}), ("http://192.0.2.1:8000", {"ALL_PROXY": f"gopher://{NOBODY}"})]
)
def test_an_api_that_cannot_be_asked_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, url: str, proxy: dict[str, str]
) -> None:
    for name, address in proxy.items():
        monkeypatch.setenv(name, address)
    assert not doctor._is_our_api(url)


def test_the_address_of_an_api_at_ipv6_has_brackets() -> None:
    assert api_url(Settings(api_host="::", api_port=8000)) == "http://[::]:8000"


def test_dead_letters_that_are_no_text_are_not_sent(tmp_path: Path) -> None:
    file = tmp_path / "letters"
    file.write_bytes(b"\xff\xfe")
    ended = livetape("dead-letters", "send", str(file))
    assert ended.returncode == 1
    assert f"{file}: it must be UTF-8" in ended.stderr
    assert "nothing was sent" in ended.stderr


def test_a_postgres_that_cannot_be_reached_is_said_in_plain_words() -> None:
    nowhere = Settings(postgres_url=f"postgresql+psycopg://livetape@{NOBODY}")
    for wrong in (nowhere, nowhere.model_copy(update={"postgres_url": "no address"})):
        with pytest.raises(WrongSetting, match="LIVETAPE_POSTGRES_URL"):
            preparation._make_tables(wrong)


def test_the_topology_has_no_check_of_bars_that_are_not_made() -> None:
    shown = livetape("topology", LIVETAPE_INTERVALS='["1s", "5s"]')
    assert shown.returncode == 0, shown.stderr
    assert "fold_trades" in shown.stdout
    assert "reconcile" not in shown.stdout


def test_topics_are_listed_with_their_namespace() -> None:
    listed = livetape("topics", "list", LIVETAPE_NAMESPACE="demo").stdout
    assert "demo.trades " in listed
    assert "demo.fold-bars-changelog" in listed


def test_topics_are_listed_by_their_whole_names_into_a_pipe() -> None:
    namespace = "x" * 48
    listed = livetape("topics", "list", LIVETAPE_NAMESPACE=namespace).stdout
    for name in load_topics(Settings()):
        assert f"{namespace}.{name} " in listed


def every_command(of: typer.Typer) -> Iterator[CommandInfo]:
    """The commands of an app and of its groups."""
    yield from of.registered_commands
    for group in of.registered_groups:
        assert group.typer_instance is not None
        assert group.typer_instance.info.help, group.name
        yield from every_command(group.typer_instance)


def test_every_command_tells_what_it_does() -> None:
    callbacks = [command.callback for command in every_command(app)]
    assert {parts.join, parts.record, state.reset, list_letters} <= set(callbacks)
    assert [callback for callback in callbacks if callback is None or not callback.__doc__] == []


def test_the_bridge_is_told_the_venues_the_topic_and_the_schema_ids(tmp_path: Path) -> None:
    kraken = VenueConfig(
        url="wss://127.0.0.1:9444/v2",
        rest_url="https://127.0.0.1:9444",
        instruments=("BTC-USDT",),
        ca_file=tmp_path / "ca.pem",
    )
    settings = Settings(namespace="demo", home=tmp_path, venues={"kraken": kraken}, kafka_client={"acks": "all"})
    assert bridge_config(
        settings,
        {"livetape.Trade": 7, "livetape.Clock": 9, "livetape.Gap": 5, "livetape.Quote": 4, "livetape.Candle": 6},
        {"livetape.Gap": [2, 3], "livetape.Quote": [8]},
    ) == {
        "namespace": "demo",
        "kafka": {"bootstrap.servers": "127.0.0.1:29092", "allow.auto.create.topics": "false", "acks": "all"},
        "topic": "demo.trades",
        "gaps_topic": "demo.gaps",
        "quotes_topic": "demo.quotes",
        "candles_topic": "demo.candles",
        "schema_ids": {"trade": 7, "clock": 9, "gap": 5, "quote": 4, "candle": 6},
        "other_schema_ids": {"trade": [], "clock": [], "gap": [2, 3], "quote": [8], "candle": []},
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


def test_a_configuration_is_read_by_its_own_user_and_its_own_process_alone(tmp_path: Path) -> None:
    settings, program = Settings(home=tmp_path), Path("livetape-bridge")
    with subprocess.Popen(["true"]) as gone:
        pass
    folder = tmp_path / "run"
    folder.mkdir()
    of_gone, of_parent, of_other = (
        folder / f"livetape-{name}.json" for name in (f"bridge-{gone.pid}", f"bridge-{os.getppid()}", "relay-1")
    )
    for file in (of_gone, of_parent, of_other):
        file.touch()
    for written in ({"sasl.password": "secret"}, {"sasl.password": "other"}):
        file = parts._config_file(settings, program, written)
        assert file.stat().st_mode & 0o777 == 0o600
        assert json.loads(file.read_text()) == written
        assert set(folder.iterdir()) == {file, of_parent, of_other}


@pytest.mark.parametrize(
    ("program", "arguments"), [(parts.BRIDGE, []), (parts.RELAY, []), (parts.RECORDER, ["recordings", "60", "1"])]
)
def test_what_has_nothing_to_read_ends_and_says_so(tmp_path: Path, program: Path, arguments: list[str]) -> None:
    file = tmp_path / "config.json"
    settings = Settings(venues={}, packet_feeds={}, home=tmp_path, kafka_bootstrap=NOBODY)
    file.write_text(json.dumps(bridge_config(settings, defaultdict(int))))
    command = [str(program), "--config", str(file), *arguments]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=HANGS_S)
    assert ended.returncode == 1
    assert "nothing is set to be read: LIVETAPE_VENUES and LIVETAPE_PACKET_FEEDS name no venue" in ended.stderr


def test_a_recorder_is_told_its_venues_and_nothing_of_kafkas() -> None:
    settings = Settings(kafka_client={"sasl.password": "secret"})
    assert parts.recorded(settings, ["kraken"]).venues == {"kraken": settings.venues["kraken"]}
    everything = parts.recorded(settings, [])
    assert everything.venues == settings.venues
    assert "secret" not in json.dumps(bridge_config(everything, defaultdict(int)))
