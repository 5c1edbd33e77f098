"""The exchanges that a demo has in place of the real ones."""

from pathlib import Path

from app.settings import Settings
from app.sources import VenueConfig
from cli.run_parts import livetape
from cli.supervisor import Part
from local import certificates, ports
from replay.venues import PROTOCOLS, VenueName

INSTRUMENTS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "ADA-USDT", "DOGE-USDT")
HISTORY = "10m"
RATE = 60
SEED = 1


def demo_settings(settings: Settings, home: Path, venue_ports: dict[str, int]) -> Settings:
    """The settings with the simulated exchanges alone, whatever else is set to be read."""
    ca_file = home / "certs" / "ca.pem"
    venues = {name: _venue(PROTOCOLS[VenueName(name)].path, port, ca_file) for name, port in venue_ports.items()}
    return settings.model_copy(update={"namespace": "demo", "home": home, "venues": venues, "packet_feeds": {}})


def exchanges(settings: Settings, venue_ports: dict[str, int]) -> Part:
    """The process that they are: the same market each time."""
    certs = certificates.ensure(settings.certs_dir)
    venues = [part for name, port in venue_ports.items() for part in ("--venue", f"{name}={port}")]
    market = ["--instruments", ",".join(INSTRUMENTS), "--rate", str(RATE), "--seed", str(SEED)]
    tls = ["--cert", str(certs.server), "--key", str(certs.key)]
    command = livetape(settings, "replay", "market", *venues, *market, "--history", HISTORY, *tls)

    def listening() -> bool:
        return all(ports.answers(port) for port in venue_ports.values())

    return Part("simulated exchanges", command, settings.logs_dir / "exchanges.log", listening, is_source=True)


def _venue(path: str, port: int, ca_file: Path) -> VenueConfig:
    address = f"127.0.0.1:{port}"
    url, rest_url = f"wss://{address}{path}", f"https://{address}"
    return VenueConfig(url=url, rest_url=rest_url, instruments=INSTRUMENTS, ca_file=ca_file)
