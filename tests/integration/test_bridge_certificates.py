"""An exchange that cannot prove who it is, by TLS, is not read."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.settings import Settings
from app.sources import VenueConfig
from local import certificates
from replay.exchange import Exchange
from replay.venues import VenueName, protocol_of
from tests.integration.bridge_kit import Script, bridging, server_tls
from tests.integration.bridge_run import BTC

DAY = datetime.timedelta(days=1)


def forged(folder: Path, name: str, ends: datetime.timedelta) -> certificates.Certificates:
    """A certificate for a name that ends at a time from now, signed by itself."""
    now = datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = certificates.Certificates(folder / f"{name}.pem", folder / f"{name}.pem", folder / f"{name}.key")
    files.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.key.write_bytes(private)
    return files


forgeries = pytest.mark.parametrize(
    ("name", "ends", "trusted", "reason"),
    [
        ("exchange.test", DAY, True, "hostname mismatch"),
        ("localhost", -DAY, True, "certificate has expired"),
        ("localhost", DAY, False, "self-signed certificate"),
    ],
)


@forgeries
async def test_a_certificate_that_proves_nothing_is_refused_and_told(
    here: Settings, certs: certificates.Certificates, name: str, ends: datetime.timedelta, *, trusted: bool, reason: str
) -> None:
    forgery = forged(here.home, name, ends)
    authorities = here.home / "authorities.pem"
    authorities.write_bytes(certs.ca.read_bytes() + (forgery.ca.read_bytes() if trusted else b""))
    good = Exchange(protocol_of(VenueName.BINANCE, (BTC,)), Script(), server_tls(certs))
    bad = Exchange(protocol_of(VenueName.BINANCE, (BTC,)), Script(), server_tls(forgery))
    async with good, bad:
        port = bad.address.rpartition(":")[2]
        url = f"wss://localhost:{port}/stream"
        venue = VenueConfig(url=url, rest_url=f"https://{good.address}", instruments=(BTC,), ca_file=authorities)
        with bridging(here.model_copy(update={"venues": {"binance": venue}})) as bridge:
            await bridge.says(
                f"binance: cannot connect to {url}: TLS: the certificate of localhost is refused: {reason}"
            )
            await bridge.counts('failed_connects_total{venue="binance"}', 2)
            assert bridge.metric('connects_total{venue="binance"}') == 0
            assert await bridge.stop() == 0


@forgeries
async def test_a_history_is_read_from_none_whose_certificate_proves_nothing(
    here: Settings, certs: certificates.Certificates, name: str, ends: datetime.timedelta, *, trusted: bool, reason: str
) -> None:
    forgery = forged(here.home, name, ends)
    authorities = here.home / "authorities.pem"
    authorities.write_bytes(certs.ca.read_bytes() + (forgery.ca.read_bytes() if trusted else b""))
    async with Exchange(protocol_of(VenueName.BINANCE, (BTC,)), Script(), server_tls(forgery)) as exchange:
        rest_url = f"https://localhost:{exchange.address.rpartition(':')[2]}"
        venue = VenueConfig(url="wss://localhost:1/", rest_url=rest_url, instruments=(BTC,), ca_file=authorities)
        with bridging(here.model_copy(update={"venues": {"binance": venue}})) as bridge:
            refused = f"TLS: the certificate of localhost is refused: {reason}"
            await bridge.says(f"binance: cannot read the instruments at {rest_url}: {refused}")
            await bridge.counts('failed_connects_total{venue="binance"}', 2)
            assert bridge.metric('connects_total{venue="binance"}') == 0


async def test_a_good_certificate_is_good_by_name_as_well_as_by_address(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with Exchange(protocol_of(VenueName.BINANCE, (BTC,)), Script(), server_tls(certs)) as exchange:
        port = exchange.address.rpartition(":")[2]
        rest_url = f"https://localhost:{port}"
        venue = VenueConfig(
            url=f"wss://localhost:{port}/stream", rest_url=rest_url, instruments=(BTC,), ca_file=certs.ca
        )
        with bridging(here.model_copy(update={"venues": {"binance": venue}})) as bridge:
            await bridge.counts('connected{venue="binance"}', 1)
