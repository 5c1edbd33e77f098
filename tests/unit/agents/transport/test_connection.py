"""What LIVETAPE_KAFKA_CLIENT means to the Faust side."""

import ssl
from pathlib import Path

import pytest

from agents.transport import app_connection, consumer_connection
from agents.transport.connection import UnmappedProperty, UnreadableFile, credentials
from app.settings import Settings
from local import certificates

SASL = {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "fold", "sasl.password": "secret"}


def test_a_cluster_that_asks_for_nothing_is_reached_in_plain() -> None:
    assert consumer_connection(Settings()) == {
        "bootstrap_servers": ["127.0.0.1:29092"],
        "security_protocol": "PLAINTEXT",
    }


def test_every_broker_of_the_list_is_known_to_both_clients() -> None:
    settings = Settings(kafka_bootstrap="one:9092, two:9093")
    assert consumer_connection(settings)["bootstrap_servers"] == ["one:9092", "two:9093"]
    assert app_connection(settings)["broker"] == ["livetape://one:9092", "livetape://two:9093"]


def test_sasl_without_tls() -> None:
    options = consumer_connection(Settings(kafka_client={"security.protocol": "SASL_PLAINTEXT", **SASL}))
    assert options["security_protocol"] == "SASL_PLAINTEXT"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["sasl_plain_username"] == "fold"
    assert options["sasl_plain_password"] == "secret"
    assert options["ssl_context"] is None


def test_librdkafka_s_older_name_of_the_mechanism_is_known() -> None:
    settings = Settings(kafka_client={"security.protocol": "sasl_plaintext", "sasl.mechanisms": "plain"})
    assert consumer_connection(settings)["sasl_mechanism"] == "PLAIN"


def test_tls_trusts_the_given_authority_alone_and_checks_the_broker_s_name(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path)
    settings = Settings(kafka_client={"security.protocol": "SASL_SSL", "ssl.ca.location": str(files.ca), **SASL})
    options = consumer_connection(settings)
    context = options["ssl_context"]
    assert options["security_protocol"] == "SASL_SSL"
    assert isinstance(context, ssl.SSLContext)
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_tls_shows_the_client_s_own_certificate_and_can_leave_the_name_unchecked(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path)
    properties = {
        "security.protocol": "SSL",
        "ssl.ca.location": str(files.ca),
        "ssl.certificate.location": str(files.server),
        "ssl.key.location": str(files.key),
        "ssl.endpoint.identification.algorithm": "none",
    }
    options = consumer_connection(Settings(kafka_client=properties))
    assert options["security_protocol"] == "SSL"
    assert not options["ssl_context"].check_hostname
    assert options["ssl_context"].verify_mode is ssl.CERT_REQUIRED


def test_a_property_with_no_counterpart_is_named() -> None:
    with pytest.raises(UnmappedProperty, match=r"has sasl\.oauthbearer\.config, which .* it knows sasl\.mechanism"):
        credentials({"security.protocol": "SASL_SSL", "sasl.oauthbearer.config": "x"})


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"security.protocol": "tls"}, r"security\.protocol tls, .* knows only plaintext, sasl_plaintext"),
        ({"security.protocol": "sasl_ssl", "sasl.mechanism": "GSSAPI"}, r"sasl\.mechanism GSSAPI, .* only PLAIN"),
        ({"security.protocol": "sasl_plaintext"}, r"sasl\.mechanism GSSAPI"),
    ],
)
def test_a_value_with_no_counterpart_is_named(properties: dict[str, str], named: str) -> None:
    with pytest.raises(UnmappedProperty, match=named):
        credentials(properties)


def test_a_file_that_cannot_be_read_is_named_with_its_property(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path)
    tls = {"security.protocol": "SSL", "ssl.ca.location": str(files.ca)}
    with pytest.raises(UnreadableFile, match=r"has ssl\.ca\.location /nowhere/ca\.pem: No such file"):
        credentials({**tls, "ssl.ca.location": "/nowhere/ca.pem"})
    own = {"ssl.certificate.location": str(files.server), "ssl.key.location": str(files.ca)}
    with pytest.raises(UnreadableFile, match=rf"location {files.server} and ssl\.key\.location {files.ca}: .*SSL"):
        credentials({**tls, **own})
