"""Settings come from the environment and reach child processes unchanged."""

import re
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr, ValidationError
from sqlalchemy import make_url

from app.database import conninfo
from app.settings import CRASH_AT, Settings
from app.sources import PacketFeed, VenueConfig
from app.units import SECOND_NS

FEED = PacketFeed(lines=("239.77.2.1:26400",))


def test_the_database_is_named_like_the_namespace() -> None:
    settings = Settings(namespace="demo", postgres_url="postgresql+psycopg://u@h:1")
    assert settings.database_url.startswith("postgresql+psycopg://u@h:1/demo?")
    assert settings.topic("bars.1s") == "demo.bars.1s"


def test_the_database_is_reached_by_the_tls_that_is_said() -> None:
    tls = "sslmode=verify-full&sslrootcert=/etc/ca.pem&sslcert=/etc/of%20us.pem&sslkey=/etc/us.key"
    settings = Settings(namespace="demo", postgres_url=f"postgresql+psycopg://u:p?/w@h:1/?{tls}")
    reached = make_url(settings.database_url)
    assert (reached.username, reached.password, reached.host, reached.port) == ("u", "p?/w", "h", 1)
    assert reached.database == "demo"
    said = {
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ca.pem",
        "sslcert": "/etc/of us.pem",
        "sslkey": "/etc/us.key",
    }
    assert reached.query.items() >= said.items()
    assert reached.query["keepalives_idle"] == "10"
    assert conninfo_to_dict(conninfo(settings, "postgres")).items() >= {**said, "dbname": "postgres"}.items()


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("/live", "no database"),
        ("?connect_timeout=1", "it has connect_timeout, and may have sslmode, sslrootcert, sslcert, sslkey alone"),
        ("?sslmode", "'' is no sslmode"),
        ("?sslmode=verify_full", "'verify_full' is no sslmode: it is one of disable, "),
    ],
)
def test_what_an_address_of_postgres_may_not_say_is_refused_by_name(end: str, said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        Settings(postgres_url=f"postgresql+psycopg://u@h:1{end}")


@pytest.mark.parametrize(
    "address",
    [
        *("http://u:s3cret@h:8081/apis", "https://s3cret@h", "u:s3cret@h:8081", "//u:s3cret@h", "http://u:s3cret@"),
        *("http://u:12#s3cret@h/apis", "http://u:12/s3cret@h", "http://u:12?s3cret@h"),
    ],
)
def test_an_address_of_the_registry_with_a_password_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ValidationError, match="LIVETAPE_REGISTRY_USER and LIVETAPE_REGISTRY_PASSWORD") as refused:
        Settings(registry_url=address)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("address", ["http://h:8081/apis/%40v7", "http://[::1]:8081"])
def test_any_other_address_of_the_registry_is_taken(address: str) -> None:
    assert Settings(registry_url=address).registry_url == address


@pytest.mark.parametrize("address", ["postgresql://u:s3cret@h:1", "postgresql+psycopg://u:s3cret@h:1/live"])
def test_the_password_of_a_wrong_address_of_postgres_is_not_told(address: str) -> None:
    with pytest.raises(ValidationError, match="it must name server and role, and no database") as refused:
        Settings(postgres_url=address)
    assert "s3cret" not in str(refused.value)


def test_a_child_process_given_the_environment_has_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        namespace="test-1",
        home=Path("somewhere"),
        kafka_client={"security.protocol": "SSL"},
        intervals=("1s", "1m"),
        registry_user="u",
        registry_password=SecretStr("p"),
        api_port=8001,
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_a_cluster_with_tls_is_reached_by_plain_librdkafka_properties(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVETAPE_KAFKA_CLIENT", '{"security.protocol": "SASL_SSL", "sasl.username": "u"}')
    monkeypatch.setenv("LIVETAPE_KAFKA_BOOTSTRAP", "kafka.example:9092")
    of_cluster = {"security.protocol": "SASL_SSL", "sasl.username": "u"}
    ours = {"bootstrap.servers": "kafka.example:9092", "allow.auto.create.topics": "false"}
    assert Settings().kafka_config == {**ours, **of_cluster}


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("LIVETAPE_NAMESPCE", "LIVETAPE_NAMESPCE is no setting: is LIVETAPE_NAMESPACE meant?"),
        ("LIVETAPE_VENUE__kraken__url", "LIVETAPE_VENUE__kraken__url is no setting: is LIVETAPE_VENUES meant?"),
        ("livetape_hom", "livetape_hom is no setting: is LIVETAPE_HOME meant?"),
        ("LIVETAPE_XQZ", "LIVETAPE_XQZ is no setting "),
    ],
)
def test_a_mistyped_setting_is_refused_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch, variable: str, said: str
) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(ValidationError, match=re.escape(said)):
        Settings()


def test_a_part_of_a_setting_and_the_crash_points_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVETAPE_KAFKA_CLIENT__acks", "all")
    monkeypatch.setenv(CRASH_AT, "before-commit")
    assert Settings().kafka_client == {"acks": "all"}


@pytest.mark.parametrize(
    ("variables", "least_s", "base"),
    [
        ({"INTERVALS": '["1h", "1d"]'}, 3_601, "1h"),
        ({"INTERVALS": '["15m"]'}, 901, "15m"),
        ({"HORIZON_NS": "0"}, 2, "1s"),
        ({"GRACE_NS": str(900 * SECOND_NS)}, 901, "1s"),
    ],
)
def test_a_horizon_that_trades_of_forming_bars_are_behind_is_refused_with_the_least_that_would_do(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], least_s: int, base: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"LIVETAPE_{name}", value)
    least = f"LIVETAPE_HORIZON_NS must be at least {least_s * SECOND_NS}, LIVETAPE_GRACE_NS and the length of {base}, "
    with pytest.raises(ValidationError, match=re.escape(f"{least}the first of LIVETAPE_INTERVALS")):
        Settings()
    monkeypatch.setenv("LIVETAPE_HORIZON_NS", str(least_s * SECOND_NS))
    assert Settings().horizon_ns == least_s * SECOND_NS


@pytest.mark.parametrize(
    "origin",
    [
        *("", "charts.example", "https://", "https://charts.example/", "https://Charts.example", "https://u@h", "null"),
        *("*", "https://*", "https://*.example", "https://börse.example", "https://charts.example:"),
        *("https://charts.example:443", "http://charts.example:80", "https://[::1]:443", "https://charts.example:0443"),
    ],
)
def test_what_no_browser_says_as_an_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin such as https://charts"):
        Settings(api_origins=(origin,))


@pytest.mark.parametrize(
    "origin",
    [
        *("https://charts.example", "https://charts.example:80", "http://charts.example:443", "http://[::1]:8000"),
        *("http://10.0.0.7:5173", "https://xn--brse-5qa.example", "chrome-extension://abcdefghijklmnop"),
    ],
)
def test_what_a_browser_says_as_an_origin_is_taken(origin: str) -> None:
    assert Settings(api_origins=(origin,)).api_origins == (origin,)


@pytest.mark.parametrize("namespace", ["", "Live", "a/b", "1st", "a_b", "x" * 49])
def test_a_namespace_that_topics_or_databases_could_not_carry_is_refused(namespace: str) -> None:
    with pytest.raises(ValidationError):
        Settings(namespace=namespace)


@pytest.mark.parametrize("name", ["", "nasdaq itch", "a:b", "../x", "a/b", ".", "börse", "-a", "a\n", "x" * 49])
def test_a_packet_feed_of_a_name_that_no_key_or_folder_could_have_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(f"{name!r} is no name of a feed: letters, digits, - and _")):
        Settings(packet_feeds={name: FEED})


@pytest.mark.parametrize("name", ["nasdaq", "XNAS", "nasdaq_bx-2", "2nd", "x" * 48])
def test_other_packet_feeds_have_the_names_that_they_are_given(name: str) -> None:
    assert Settings(packet_feeds={name: FEED}).packet_feeds == {name: FEED}


@pytest.mark.parametrize(
    "address",
    ["239.77.2.1", "239.77.2.1:", "239.77.2.1:0", "239.77.2.1:65536", "239.77.2.1:1_0", ":1", "host:1", "::1"],
)
def test_a_packet_feed_at_an_address_that_is_none_is_refused(address: str) -> None:
    for fields in ({"lines": [address]}, {"lines": ["239.77.2.1:26400"], "rerequest": address}):
        with pytest.raises(ValidationError, match=re.escape(f"{address!r} is no IPv4 address with its port")):
            PacketFeed.model_validate(fields)


def test_a_packet_feed_of_the_name_of_an_exchange_is_refused() -> None:
    feeds = {"okx": FEED, "nasdaq": FEED, "kraken": FEED}
    with pytest.raises(ValidationError, match="LIVETAPE_PACKET_FEEDS has kraken, okx, as LIVETAPE_VENUES has: give"):
        Settings(packet_feeds=feeds)
    assert Settings(venues={}, packet_feeds=feeds).packet_feeds == feeds


PATHS = [name for name, field in Settings.model_fields.items() if field.annotation is Path]


@pytest.mark.parametrize("setting", PATHS)
def test_an_empty_path_is_not_the_current_folder(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"LIVETAPE_{setting.upper()}", "")
    with pytest.raises(ValidationError, match=rf"{setting}\n.* it is empty: name a path, or leave the variable out"):
        Settings()


def test_nor_is_an_empty_authority_of_a_venue() -> None:
    with pytest.raises(ValidationError, match=r"ca_file\n.* it is empty"):
        VenueConfig(url="wss://x", rest_url="https://x", instruments=("BTC-USD",), ca_file="")


def test_an_instrument_of_a_venue_that_is_named_twice_is_refused_by_its_name() -> None:
    doubled = ("ETH-USD", "BTC-USD", "SOL-USD", "ETH-USD", "BTC-USD")
    with pytest.raises(ValidationError, match=r"instruments\n.* BTC-USD, ETH-USD: named more than once"):
        VenueConfig(url="wss://x", rest_url="https://x", instruments=doubled)


@pytest.mark.parametrize("timezone", ["America/NewYork", "America", "", "../x"])
def test_a_time_zone_that_is_none_is_refused(timezone: str) -> None:
    with pytest.raises(ValidationError, match="is no time zone such as America/New_York"):
        PacketFeed(lines=("239.77.2.1:26400",), timezone=timezone)
