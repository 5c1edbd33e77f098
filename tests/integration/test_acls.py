"""A cluster that allows a user what docs/operating.md lists for its namespace, and nothing else."""

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from agents.fold.reset import reset_fold
from agents.join.reset import reset_join
from app.settings import Settings
from local.certificates import Certificates
from tests.integration.api_kit import WAIT_S, eventually, serving
from tests.integration.fold_kit import Tape, folding, read, read_bars, trade, with_topics
from tests.integration.sql_kit import Database
from tests.integration.test_secured_kafka import SecuredKafka, logging_in
from tests.own_server import launched
from tests.parts import running


class GuardedKafka(SecuredKafka):
    """A broker that allows who has logged in what ACLs say."""

    def _properties(self) -> dict[str, object]:
        guard = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
        return super()._properties() | {"authorizer.class.name": guard, "super.users": "User:ANONYMOUS"}


@pytest.fixture
def guarded(tmp_path_factory: pytest.TempPathFactory, certs: Certificates) -> Iterator[GuardedKafka]:
    with launched(GuardedKafka(tmp_path_factory.mktemp("guarded"), certs)) as kafka:
        yield kafka


def allow(kafka: GuardedKafka, namespace: str) -> None:
    """Give the user what the table of docs/operating.md says."""
    operations = AclOperation
    of_topics = (
        *(operations.READ, operations.WRITE, operations.DESCRIBE, operations.CREATE, operations.ALTER),
        *(operations.ALTER_CONFIGS, operations.DESCRIBE_CONFIGS, operations.DELETE),
    )
    allowed = {
        (ResourceType.TOPIC, f"{namespace}."): of_topics,
        (ResourceType.GROUP, f"{namespace}."): (operations.READ, operations.DESCRIBE),
        (ResourceType.TRANSACTIONAL_ID, f"{namespace}-fold-"): (operations.WRITE, operations.DESCRIBE),
        (ResourceType.TRANSACTIONAL_ID, f"{namespace}-join-"): (operations.WRITE, operations.DESCRIBE),
    }
    prefixed, permitted = ResourcePatternType.PREFIXED, AclPermissionType.ALLOW
    bindings = [
        AclBinding(kind, prefix, prefixed, "User:livetape", "*", operation, permitted)
        for (kind, prefix), each in allowed.items()
        for operation in each
    ]
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{kafka.ports['clients']}"})
    for made in admin.create_acls(bindings).values():
        made.result(WAIT_S)


def test_what_the_docs_list_is_enough_for_all_parts(
    settings: Settings, guarded: GuardedKafka, certs: Certificates
) -> None:
    allow(guarded, settings.namespace)
    looking = settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{guarded.ports['clients']}"})
    settings = with_topics(logging_in(settings, guarded, certs))
    tape = Tape(settings)
    for number in range(1, 4):
        tape.trade(trade(str(number), "100", number))
    tape.clock(70)
    tape.clock(70, topic=tape.quotes)
    tape.flush()
    with folding(settings) as worker, running("sink", settings) as sink, running("join", settings) as join:
        eventually(lambda: Database(settings).count("trade") == 3, lambda: sink.printed)
        eventually(lambda: len(read_bars(looking, tape.avro)) >= 3, lambda: worker.log)
        eventually(lambda: len(read(looking, "trades.joined")) == 3, lambda: join.printed)
        with serving(settings) as api:
            assert api.get("/readyz").is_success
        worker.stop()
        join.stop()
    assert len(list(reset_fold(settings))) == 4
    assert len(list(reset_join(settings))) == 4
