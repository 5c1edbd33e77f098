"""Every setting of livetape, from the environment (`LIVETAPE_…`) or the defaults of one machine.

Lists and mappings are JSON: `LIVETAPE_KAFKA_CLIENT='{"security.protocol": "SASL_SSL"}'`. A variable of another name is
refused: it would be a setting mistyped.
"""

import json
import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.intervals import check_intervals, read_interval
from app.setting_types import AbsolutePath, IpAddress, Namespace, Origin, PostgresUrl, RegistryUrl, ZmqAddress
from app.sources import EXCHANGES, PacketFeed, VenueConfig, check_feed_names
from app.units import DAY_NS, MINUTE_NS, SECOND_NS

PROJECT = Path(__file__).resolve().parents[1]
PREFIX = "LIVETAPE_"
CRASH_AT = "LIVETAPE_CRASH_AT"
"""No setting: where a test has a process killed (agents/crash_points.py)."""
_LIVENESS = "keepalives_idle=10&keepalives_interval=5&keepalives_count=3&tcp_user_timeout=30000"
"""libpq's parameters, in s and ms: the system's own take two hours to notice a machine that lost its power."""


def _check_names(variables: Iterable[str], known: Iterable[str]) -> None:
    names = [field.upper() for field in known]
    for variable in variables:
        name = variable.upper().partition("__")[0]  # what is behind it is within a setting
        if name.startswith(PREFIX) and name != CRASH_AT and name.removeprefix(PREFIX) not in names:
            near = get_close_matches(name.removeprefix(PREFIX), names, 1)
            hint = f": is {PREFIX}{near[0]} meant?" if near else ""
            raise PydanticCustomError("unknown_setting", "{text}", {"text": f"{variable} is no setting{hint}"})


class Settings(BaseSettings):
    """What a run of livetape needs to know. Times ending in `_ns` are nanoseconds, in `_ms` milliseconds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,  # it may be a password
    )

    namespace: Namespace = "live"
    """Prefix of topics, groups and transactional ids, and the database's name; ZeroMQ's of others are left out."""

    home: AbsolutePath = PROJECT / ".livetape"
    """Data, logs and certificates of local servers, and logs of local parts."""
    schemas_dir: AbsolutePath = PROJECT / "schemas"
    """The Avro schemas, a file a record type. No part begins while one of the project's is missing."""
    topics_file: AbsolutePath = PROJECT / "topics.yaml"
    """What topics there are."""
    venues_file: AbsolutePath = PROJECT / "venues.yaml"
    """What the fold must know of the venues."""
    aggregates: str = ""
    """Aggregates of the user's own, as `module:NAME` of a list of their classes; docs/aggregates.md tells how."""

    kafka_bootstrap: str = "127.0.0.1:29092"
    """Brokers to reach the cluster by, as `host:port,host:port`."""
    kafka_client: dict[str, str] = {}
    """More librdkafka properties for every client: SASL, TLS."""
    replication_factor: int = Field(default=1, ge=1)
    """Replicas of every topic; 3 on a cluster."""
    min_insync_replicas: int = Field(default=1, ge=1)
    """Replicas that must have a record before a write counts; 2 on a cluster."""

    registry_url: RegistryUrl = "http://127.0.0.1:8081/apis/ccompat/v7"
    """Confluent-compatible schema registry; user and password are settings of their own."""
    registry_user: str | None = None
    """User of the registry, when it wants one."""
    registry_password: SecretStr | None = None
    """Password of that user."""

    postgres_url: PostgresUrl = "postgresql+psycopg://livetape@127.0.0.1:54329"
    """Server and role; the database's name is the namespace. libpq's sslmode, sslrootcert, sslcert and sslkey may
    follow: `?sslmode=verify-full&sslrootcert=/etc/ssl/db-ca.pem`."""

    api_host: str = "127.0.0.1"
    """Address the API listens on."""
    api_port: int = Field(default=8000, ge=1, le=65535)
    """Port the API listens on."""
    api_origins: tuple[Origin, ...] = ()
    """Whose pages may open /ws beside those of the address that it is asked at: `["https://charts.example"]`. Behind a
    proxy that asks for another `Host` than the browser does, its own public address is one."""
    zmq_data: ZmqAddress = "tcp://127.0.0.1:5556"
    """Where the bridge publishes instant trades, and readers connect to."""
    zmq_retry: ZmqAddress = "tcp://127.0.0.1:5557"
    """Where the bridge answers for instant trades that were missed, and readers connect to."""
    retry_mb: int = Field(default=32, ge=1)
    """How many of each venue's newest messages the bridge keeps in memory for that, in MiB; older ones are in Kafka."""
    spool_mb: int = Field(default=4096, ge=1)
    """How much of each venue the bridge keeps on disk while Kafka has not got it, in MiB; beyond it trades are lost."""
    bridge_metrics: str = "127.0.0.1:9464"
    """Where the bridge serves its own /metrics."""
    relay_metrics: str = "127.0.0.1:9465"
    """Where the relay serves its own /metrics."""

    venues: dict[str, VenueConfig] = EXCHANGES
    """The exchanges that the bridge reads, by name."""
    packet_feeds: Annotated[dict[str, PacketFeed], AfterValidator(check_feed_names)] = {}
    """The packet feeds that the bridge reads, by the name of their venue: letters, digits, `-` and `_`, and none of the
    exchanges'."""

    silence_ms: int = Field(default=60_000, ge=1)
    """How long an instrument may be silent before the bridge asks its venue's history whether its subscription is dead;
    of one that is merely not traded it asks ever less often. Five times as long is what passes until a list that lacks
    an instrument is read again, then twice that, up to an hour."""

    intervals: Annotated[tuple[str, ...], AfterValidator(check_intervals)] = ("1s", "5s", "1m", "5m", "15m", "1h", "1d")
    """Published bars: lengths that divide a day, finest first, and `5m/1m` for windows of 5 minutes each minute. The
    first is the base interval that trades fold into. Once there is state, a change of them needs `livetape reset`."""
    out_of_order_ns: int = Field(default=SECOND_NS, ge=0)
    """How far an instrument's watermark stays behind its newest trade. With this, the grace or the horizon longer than
    before a worker refuses its state, which has forgotten too much, until `livetape reset`."""
    grace_ns: int = Field(default=SECOND_NS, ge=0)
    """How long after its end, by the watermark, a bar becomes final."""
    clock_delay_ns: int = Field(default=SECOND_NS, ge=0)
    """How far a venue's clock records stay behind its newest time."""
    clock_interval_ms: int = Field(default=250, ge=1)
    """How often a venue's clock is written."""
    horizon_ns: int = Field(default=900 * SECOND_NS, ge=0)
    """How far behind the watermark a trade's base window may begin for it to be accepted: at least the grace and the
    length of the base interval, or trades that come in time would be late. When it is made longer, `livetape join`
    knows the ids of trades that old no more, and takes none until the venue's clock has gone on by as much."""
    longest_outage_ns: int = Field(default=DAY_NS, ge=0)
    """How long the fold may be down and still catch up; with the horizon it bounds the retention of `trades`."""
    quote_horizon_ns: int = Field(default=MINUTE_NS, ge=0)
    """How far behind its venue's clock a trade may come and still find its quote; quotes are kept in memory for it."""
    quote_max_age_ns: int = Field(default=MINUTE_NS, ge=0)
    """A quote older than this when the trade happened is none."""
    max_ahead_ns: int = Field(default=MINUTE_NS, ge=0)
    """A trade dated further ahead of its receive time goes to dead letters; so does one dated more than a day ahead of
    when it came to the log, whatever its receive time says."""
    flush_ms: int = Field(default=100, ge=1)
    """How often the fold commits a transaction."""
    session_timeout_ms: int = Field(default=10_000, ge=1_000)
    """How long a worker may be silent before its partitions go to another; brokers take no less than 6 s by default."""
    standbys: int = Field(default=1, ge=0)
    """How many other fold workers keep each partition's state in memory, to take it over when its own worker goes."""
    worker_metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of the fold worker's /metrics; 0 for none."""
    join_metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of the join worker's /metrics; 0 for none."""
    sink_flush_ms: int = Field(default=200, ge=1)
    """How long the SQL sink gathers rows for one database transaction."""
    sink_metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of the SQL sink's /metrics; 0 for none."""
    reconcile_patience_ms: int = Field(default=300_000, ge=0)
    """How long a bar may differ from the venue's own candle, or one be without the other, before that is told: bars are
    revised when trades come late."""
    reconcile_metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of the /metrics of `livetape reconcile`; 0 for none."""
    metrics_host: IpAddress = "127.0.0.1"
    """Address that those four are served at; 0.0.0.0 where other machines read them."""
    live_ms: int = Field(default=20, ge=1)
    """Time between two records of an instrument on `bars.live` while the fold is behind; else each fetch sends one."""

    @model_validator(mode="before")
    @classmethod
    def _every_variable_is_known(cls, values: Any) -> Any:  # noqa: ANN401 - as it comes
        _check_names(os.environ, cls.model_fields)
        return values

    @model_validator(mode="after")
    def _trades_of_forming_bars_are_accepted(self) -> Self:
        base = read_interval(self.intervals[0])
        least_ns = self.grace_ns + base.length_ns
        if self.horizon_ns < least_ns:
            text = (
                f"LIVETAPE_HORIZON_NS must be at least {least_ns}, LIVETAPE_GRACE_NS and the length of {base.name}, "
                f"the first of LIVETAPE_INTERVALS: with {self.horizon_ns} trades that come in time would be late"
            )
            raise PydanticCustomError("short_horizon", "{text}", {"text": text})
        return self

    @model_validator(mode="after")
    def _a_venue_has_one_source(self) -> Self:
        both = sorted(self.venues.keys() & self.packet_feeds.keys())
        if both:
            text = f"LIVETAPE_PACKET_FEEDS has {', '.join(both)}, as LIVETAPE_VENUES has: give the feed another name"
            raise PydanticCustomError("two_sources", "{text}", {"text": text})
        return self

    @property
    def database_url(self) -> str:
        """SQLAlchemy address of the namespace's own database, on which a server that vanished is noticed."""
        role, at, place = self.postgres_url.rpartition("@")
        server, _, tls = place.partition("?")
        parameters = f"{tls}&{_LIVENESS}" if tls else _LIVENESS
        return f"{role}{at}{server.rstrip('/')}/{self.namespace}?{parameters}"

    @property
    def registry_auth(self) -> tuple[str, str] | None:
        """User and password of the registry, where it has them."""
        password = self.registry_password
        return (self.registry_user, password.get_secret_value()) if self.registry_user and password else None

    @property
    def kafka_config(self) -> dict[str, str | int | float | bool]:
        """librdkafka properties that reach the cluster, to be extended by each client.

        None makes a topic by asking for it: it would be as the broker has them by default, not as topics.yaml says.
        """
        return {"bootstrap.servers": self.kafka_bootstrap, "allow.auto.create.topics": "false", **self.kafka_client}

    @property
    def certs_dir(self) -> Path:
        """Folder of the local certificate authority: `ca.pem`, `server.pem`, `server.key`."""
        return self.home / "certs"

    @property
    def logs_dir(self) -> Path:
        """Folder of every log file that local processes write."""
        return self.home / "logs"

    def topic(self, name: str) -> str:
        """Full name of a topic of topics.yaml: `topic("bars.1s")` is `live.bars.1s`."""
        return f"{self.namespace}.{name}"

    def environment(self) -> dict[str, str]:
        """The `LIVETAPE_…` variables that give a child process these same settings."""
        return {f"{PREFIX}{name.upper()}": value for name, value in self._as_text().items()}

    def _as_text(self) -> dict[str, str]:
        values = self.model_dump(mode="json", exclude_none=True)
        if self.registry_password is not None:
            values["registry_password"] = self.registry_password.get_secret_value()
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
