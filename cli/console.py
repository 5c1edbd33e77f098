"""What the commands print."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

from confluent_kafka import KafkaException
from httpx import InvalidURL
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.markup import escape

from app.aggregates import AggregatesUnfit
from app.http_client import ProxyUnusable
from app.kafka_admin import KafkaAway
from app.schema_files import SchemasUnfit
from app.schema_registry import RegistryError
from app.settings import PREFIX
from app.topic_admin import TopicError
from app.topics import TopicsFileError
from app.venues import VenuesFileError
from local.errors import LocalError


class WrongSetting(Exception):
    """A setting that cannot be followed; the message names it, and says what to do."""


console = Console(highlight=False, soft_wrap=True, emoji=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
EXPECTED = (
    LocalError,
    AggregatesUnfit,
    TopicError,
    TopicsFileError,
    VenuesFileError,
    SchemasUnfit,
    RegistryError,
    ProxyUnusable,
    KafkaAway,
    KafkaException,
    InvalidURL,
    OSError,
    WrongSetting,
    SettingsError,
    ValidationError,
)
"""Errors whose message says it all; any other keeps its traceback."""
EXAMPLES = {
    "intervals": '["1s", "1m", "1h"]',
    "api_origins": '["https://charts.example"]',
    "kafka_client": '{"security.protocol": "SASL_SSL"}',
    "venues": '{"kraken": {"url": "wss://ws.kraken.com/v2", "rest_url": "https://api.kraken.com", '
    '"instruments": ["BTC-USD"]}}',
    "packet_feeds": '{"nasdaq": {"lines": ["233.54.12.111:26477"]}}',
}
"""Of every setting that is JSON."""
NAME_WIDTH = 26


def print_any_letter() -> None:
    """Print a question mark for each letter that the user's locale lacks, as Latin-1 does the ✓ of `done`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def explain(error: Exception) -> None:
    """Print an expected error as people should meet it."""
    fail(_in_words(error))


def fail(message: str) -> None:
    """Print an error: its first line stands out, the rest is detail."""
    first, _, rest = message.partition("\n")
    errors.print(f"[bold red]error:[/] {escape(first)}")
    if rest:
        errors.print(escape(rest), style="dim")


def done(name: str, detail: str = "", seconds: float | None = None) -> None:
    """Print that something is done."""
    took = "" if seconds is None else f"[dim]{seconds:6.1f} s[/]"
    console.print(f"  [green]✓[/] {name:<{NAME_WIDTH}} {escape(detail):<40} {took}".rstrip())


def broken(name: str, remedy: str) -> None:
    """Print that something is not as it should be, and what to do."""
    console.print(f"  [red]✗[/] {name:<{NAME_WIDTH}} {escape(remedy)}")


@contextmanager
def step(name: str, detail: str = "") -> Iterator[None]:
    """Show that a step is under way, and when it is done how long it took."""
    began = time.monotonic()
    with working(name):
        yield
    done(name, detail, time.monotonic() - began)


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on a terminal, a line elsewhere."""
    if not sys.stdout.isatty():
        yield
        return
    with console.status(f"{what} …"):
        yield


def _in_words(error: Exception) -> str:
    match error:
        case ValidationError():
            return _settings_problem(error)
        case SettingsError():
            return _json_problem(error)
        case KafkaException():
            settings = "LIVETAPE_KAFKA_BOOTSTRAP and LIVETAPE_KAFKA_CLIENT"
            return f"Kafka: {error.args[0].str()}\nis it running (`livetape status`), and are {settings} right?"
        case InvalidURL():
            return f"an address is wrong: {error}\nlook at LIVETAPE_REGISTRY_URL and LIVETAPE_BRIDGE_METRICS"
        case OSError(filename=str(name), strerror=str(why)):
            return f"{name}: {why}"
        case _:
            return str(error)


def _settings_problem(error: ValidationError) -> str:
    lines = (f"{PREFIX}{'__'.join(map(str, part['loc'])).upper()}: {part['msg']}" for part in error.errors())
    whole = (part["msg"] for part in error.errors() if not part["loc"])
    return next(whole, None) or "\n".join(["a setting is wrong", *lines])


def _json_problem(error: SettingsError) -> str:
    """Pydantic names the field in its message alone, and what is wrong with it in the cause."""
    field = re.findall(r'field "(\w+)"', str(error))[0]
    name = f"{PREFIX}{field.upper()}"
    return f"{name} must be JSON: {error.__cause__}\nfor example {name}='{EXAMPLES[field]}'"
