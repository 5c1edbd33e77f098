"""A schema that the registry does not tell now: its partition waits in worker and sink, and no other one does."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import httpx

from agents.held_partitions import MOST_KEPT
from app.partitions import partition_of
from app.settings import Settings
from tests.integration.api_kit import LOCAL, eventually
from tests.integration.fold_kit import (
    PARTITIONS,
    Group,
    Tape,
    folding,
    oracles,
    read,
    read_bars,
    trade,
    wait_until_flushed,
    with_topics,
)
from tests.integration.fold_oracle import differences
from tests.integration.sql_kit import Database
from tests.integration.test_schema_evolution import INSTRUMENTS, newer, schema_of_trades
from tests.parts import running

HELD = INSTRUMENTS[0]
ROUNDS = 2 * MOST_KEPT
"""Each about a record set of the partition that waits, so that fetching it may stop."""


class Front(ThreadingHTTPServer):
    """Stands before the registry, and tells one of its schemas only later."""

    def __init__(self, registry_url: str, kept_id: int) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarding)
        self.registry_url = registry_url
        self.kept = f"/schemas/ids/{kept_id}"
        self.tells = Event()

    def answer(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """The registry's, unless it is about what is kept."""
        if path.endswith(self.kept) and not self.tells.is_set():
            return httpx.Response(503)
        return LOCAL.request(method, f"{self.registry_url}{path}", content=body, headers=headers)


class _Forwarding(BaseHTTPRequestHandler):
    server: Front

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() == "content-type"}
        answer = self.server.answer(self.command, self.path, body, headers)
        self.send_response(answer.status_code)
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def do_GET(self) -> None:  # the names are the library's
        self._forward()

    def do_POST(self) -> None:
        self._forward()

    def do_PUT(self) -> None:
        self._forward()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def behind_front(settings: Settings, kept_id: int) -> Iterator[tuple[Front, Settings]]:
    with Front(settings.registry_url, kept_id) as front:
        thread = Thread(target=front.serve_forever)
        thread.start()
        try:
            yield front, settings.model_copy(update={"registry_url": f"http://127.0.0.1:{front.server_port}"})
        finally:
            front.shutdown()
            thread.join()


def test_a_schema_that_is_not_told_now_holds_up_its_partition_alone(settings: Settings) -> None:
    tape, database, group = Tape(with_topics(settings)), Database(settings), Group(settings)
    old = schema_of_trades(settings)
    new = newer(old)
    of_this_test = settings.namespace.replace("-", "_")  # else it is an id that the others' registry has told
    new["fields"].append({"name": of_this_test, "type": "int", "default": 0})
    held = partition_of(f"binance:{HELD}".encode(), PARTITIONS)
    tape.avro.evolve("Trade", new)
    with (
        behind_front(settings, tape.avro.ids["livetape.Trade"]) as (front, behind),
        running("sink", behind) as sink,
        folding(behind) as worker,
    ):
        told = f"{settings.topic('trades')} partition {held} waits for schema id"

        def have_all_others_come() -> bool:
            return told in worker.log and group.committed() == {**group.ends(), held: 0}

        tape.trade(trade("1", "7.5", 0, instrument=HELD))
        tape.flush()
        tape.avro.evolve("Trade", old)
        for second in range(ROUNDS):
            for name in INSTRUMENTS:
                tape.trade(trade(str(second + 2), f"{100 + second % 17}.5", second, instrument=name))
            tape.clock(second)
            tape.flush()
            eventually(have_all_others_come, lambda: f"{group.committed()} of {group.ends()}\n{worker.log}")
        of_others = sum(partition_of(f"binance:{name}".encode(), PARTITIONS) != held for name in INSTRUMENTS)
        eventually(lambda: database.count("trade") == of_others * ROUNDS, lambda: sink.printed)
        front.tells.set()
        wait_until_flushed(settings, worker)
        eventually(lambda: database.count("trade") == len(INSTRUMENTS) * ROUNDS + 1, lambda: sink.printed)
    assert read(settings, "trades.dead") == []
    assert database.rows("SELECT * FROM dead_letter") == []
    assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro)) == []
