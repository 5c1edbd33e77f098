"""The commands that run one part in this process: worker, SQL sink, API, bridge, recorder."""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, NoReturn

import psutil
import typer

from app.aggregates import load_aggregates
from app.intervals import COMPARED
from app.schema_files import schema_files
from app.schema_registry import other_ids, register_own
from app.settings import PROJECT, Settings
from app.sources import PacketFeed
from app.time_zones import midnight_ns, utc_offsets
from app.topics import load_topics
from app.units import MILLISECOND_NS
from app.venues import read_venues
from cli.console import WrongSetting
from local import bridge_files, ports
from local.errors import SoftwareMissing

BRIDGE = PROJECT / "build" / "bridge" / "release" / "livetape-bridge"
RELAY = BRIDGE.with_name("livetape-relay")
RECORDER = BRIDGE.with_name("livetape-record")
WRITTEN = ("Trade", "Clock", "Gap", "Quote", "Candle")
"""What the bridge writes, by the names of schemas/."""
STOP_S = 5
"""How long requests may still take when the API is asked to stop."""


def worker() -> None:
    """Fold trades into bars: the Faust worker of `agents.worker`."""
    _check_fold(Settings())
    _become(_faust("agents.worker", "worker_metrics_port"))


def sink() -> None:
    """Write trades and bars to Postgres: the Faust worker of `agents.sql_sink`."""
    _become(_faust("agents.sql_sink", "sink_metrics_port", reads_venues=False))


def join() -> None:
    """Join trades with the quotes of their time: the Faust worker of `agents.quote_join`."""
    _become(_faust("agents.quote_join", "join_metrics_port"))


def reconcile() -> None:
    """Compare bars with the venues' own candles: the Faust worker of `agents.reconcile`."""
    if COMPARED not in Settings().intervals:
        raise WrongSetting(f"bars of {COMPARED} are compared with candles: add {COMPARED} to LIVETAPE_INTERVALS")
    _become(_faust("agents.reconcile", "reconcile_metrics_port"))


def topology() -> None:
    """Show the path of records through the workers and the sink; needs no cluster."""
    from agents.quote_join import build_join  # noqa: PLC0415 - `livetape --help` should not wait for Faust
    from agents.reconcile import build_reconcile  # noqa: PLC0415 - as above
    from agents.sql_sink import build_sink  # noqa: PLC0415 - as above
    from agents.topology import topology as text  # noqa: PLC0415 - as above
    from agents.worker import build_worker  # noqa: PLC0415 - as above

    settings = Settings()
    _check_kafka_client(settings)
    builds = [build_worker, build_join, build_sink]
    if COMPARED in settings.intervals:
        builds.append(build_reconcile)
    print(*(text(build(settings)) for build in builds), sep="\n", end="")


def serve() -> None:
    """Serve the API and the page."""
    settings = Settings()
    load_topics(settings)
    read_venues(settings.venues_file)
    schema_files(settings.schemas_dir)
    _become(api_command(settings))


def api_command(settings: Settings) -> list[str]:
    """uvicorn with what serves many clients quickly, and waits for none of them when it is asked to stop."""
    address = ["--host", settings.api_host, "--port", str(settings.api_port)]
    quick = ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    ending = ["--ws", "app.websocket.protocol:Protocol", "--timeout-graceful-shutdown", str(STOP_S)]
    return [sys.executable, "-m", "uvicorn", "app:app", *address, *quick, *ending]


def bridge() -> None:
    """Read the exchanges, publish their trades on ZeroMQ and, for venues without a relay, write them to Kafka."""
    _become_native(BRIDGE)


def relay() -> None:
    """Write the bridge's trades from ZeroMQ to Kafka, for venues whose writer is the relay."""
    _become_native(RELAY)


def record(
    venue: Annotated[
        list[str] | None, typer.Argument(help="Venues and packet feeds; all configured ones by default.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of the files; LIVETAPE_HOME/recordings by default.")
    ] = None,
    minutes: Annotated[int, typer.Option(min=1, help="Begin a new file after this many minutes.")] = 60,
    mib: Annotated[int, typer.Option(min=1, help="Begin a new file after this many MiB, compressed.")] = 256,
) -> None:
    """Record what venues and packet feeds send, for `livetape replay`; needs no servers."""
    _require(RECORDER)
    settings = Settings()
    unknown = set(venue or ()) - set(settings.venues) - set(settings.packet_feeds)
    if unknown:
        raise typer.BadParameter(f"no venue or packet feed of this name is set: {', '.join(sorted(unknown))}")
    config = bridge_config(recorded(settings, venue or ()), defaultdict(int))
    target = folder or settings.home / "recordings"
    file = _config_file(settings, RECORDER, config)
    _become([str(RECORDER), "--config", str(file), str(target), str(minutes * 60), str(mib << 20)])


def recorded(settings: Settings, names: Collection[str]) -> Settings:
    """The settings with these venues and packet feeds alone, all where none is named, and nothing that is Kafka's."""
    venues = {name: venue for name, venue in settings.venues.items() if not names or name in names}
    feeds = {name: feed for name, feed in settings.packet_feeds.items() if not names or name in names}
    return settings.model_copy(update={"venues": venues, "packet_feeds": feeds, "kafka_client": {}})


def _require(program: Path) -> None:
    if not program.exists():
        raise SoftwareMissing(f"the bridge ({program})", "run `make bridge`")


def _config_file(settings: Settings, program: Path, config: Mapping[str, object]) -> Path:
    """Write what a program is told where only this user can read it, since passwords may be in it.

    The name has the process's id, which the program keeps: each of several that run reads its own.
    """
    folder = settings.home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath(f"{program.name}.json").unlink(missing_ok=True)  # an earlier release wrote it for all to read
    for left in folder.glob(f"{program.name}-*.json"):
        pid = int(left.stem.rpartition("-")[2])
        if pid == os.getpid() or not psutil.pid_exists(pid):
            left.unlink(missing_ok=True)
    file = folder / f"{program.name}-{os.getpid()}.json"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        json.dump(config, stream, indent=2)
    return file


def _become_native(program: Path) -> NoReturn:
    _require(program)
    settings = Settings()
    registered = register_own(settings)
    ids = {record: registered[record] for record in map(_full_name, WRITTEN)}
    file = _config_file(settings, program, bridge_config(settings, ids, other_ids(settings, ids)))
    _become([str(program), "--config", str(file)])


def _full_name(record: str) -> str:
    return f"livetape.{record}"


def bridge_config(
    settings: Settings, schema_ids: Mapping[str, int], others: Mapping[str, Collection[int]] = MappingProxyType({})
) -> dict[str, object]:
    """The configuration file of bridge and relay; both mappings are keyed by full record name.

    `others` has the ids of versions that are not written: what waits on disk, or is of another release, may be of them.
    """
    of_venues = read_venues(settings.venues_file)
    venues = [
        {
            "venue": name,
            "url": venue.url,
            "rest_url": venue.rest_url,
            "ca_file": None if venue.ca_file is None else str(venue.ca_file),
            "instruments": list(venue.instruments),
            "clock_delay_ms": settings.clock_delay_ns // MILLISECOND_NS,
            "writer": venue.writer,
            "quotes": name in of_venues and of_venues[name].quotes,
            "candles": name in of_venues and of_venues[name].candles is not None,
        }
        for name, venue in settings.venues.items()
    ]
    return {
        "namespace": settings.namespace,
        "kafka": settings.kafka_config,
        "topic": settings.topic("trades"),
        "gaps_topic": settings.topic("gaps"),
        "quotes_topic": settings.topic("quotes"),
        "candles_topic": settings.topic("candles"),
        "schema_ids": {name.lower(): schema_ids[_full_name(name)] for name in WRITTEN},
        "other_schema_ids": {name.lower(): [*others.get(_full_name(name), ())] for name in WRITTEN},
        "zmq": {
            "data": settings.zmq_data,
            "retry": settings.zmq_retry,
            "retry_bytes": settings.retry_mb << 20,
        },
        "metrics": settings.bridge_metrics,
        "relay_metrics": settings.relay_metrics,
        "errors_dir": str(settings.home / "decode-errors"),
        "spool_dir": str(settings.home / bridge_files.SPOOL / settings.namespace),
        "spool_bytes": settings.spool_mb << 20,
        "positions_dir": str(settings.home / bridge_files.POSITIONS / settings.namespace),
        "clock_interval_ms": settings.clock_interval_ms,
        "silence_ms": settings.silence_ms,
        "venues": venues,
        "packet_feeds": [_packet_feed(settings, name, feed) for name, feed in settings.packet_feeds.items()],
    }


def _packet_feed(settings: Settings, venue: str, feed: PacketFeed) -> dict[str, object]:
    fields = feed.model_dump(mode="json", exclude={"timezone", "day"})
    return {
        **fields,
        "venue": venue,
        "utc_offsets": [offset._asdict() for offset in utc_offsets(feed.timezone)],
        "midnight_ns": None if feed.day is None else midnight_ns(feed.day, feed.timezone),
        "clock_delay_ms": settings.clock_delay_ns // MILLISECOND_NS,
    }


def _faust(module: str, metrics_port: str, *, reads_venues: bool = True) -> list[str]:
    """A worker of Faust's own command line, with its files below the settings' home.

    What a worker cannot follow is told here, in plain words and before it waits for Kafka. `metrics_port` is a setting.
    """
    settings = Settings()
    schema_files(settings.schemas_dir)
    load_aggregates(settings)
    if reads_venues:
        read_venues(settings.venues_file)
    _check_kafka_client(settings)
    setting = f"LIVETAPE_{metrics_port.upper()}"
    ports.check_here(settings.metrics_host, "/metrics", "LIVETAPE_METRICS_HOST")
    ports.check_free(getattr(settings, metrics_port), "/metrics", setting, settings.metrics_host)
    program = str(Path(sys.executable).with_name("faust"))
    folder = settings.home / "faust" / module
    folder.mkdir(parents=True, exist_ok=True)
    return [program, "--datadir", str(folder), "--app", module, "worker", "--without-web", "--loglevel", "info"]


def _check_fold(settings: Settings) -> None:
    """Look the exchanges' hours up, and whether their bars can be made of the intervals."""
    from agents.fold.setup import make_setup  # noqa: PLC0415 - no other waits for the kernel

    try:
        make_setup(settings, {})
    except ValueError as error:
        raise WrongSetting(f"{error}\nlook at {settings.venues_file} and LIVETAPE_INTERVALS") from error


def _check_kafka_client(settings: Settings) -> None:
    if not settings.kafka_client:
        return
    from agents.transport.connection import WrongProperty, credentials  # noqa: PLC0415 - no other waits for Faust

    try:
        credentials(settings.kafka_client)
    except WrongProperty as error:
        raise WrongSetting(str(error)) from error


def _become(command: list[str]) -> NoReturn:
    """Replace this process, so that signals reach the part itself."""
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted
