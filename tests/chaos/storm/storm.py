"""Faults as they are done, and undone after their time."""

import signal
from typing import Final

import psutil

from local.server import Server
from tests.chaos.storm.crew import Crew
from tests.chaos.storm.part import Part
from tests.chaos.storm.place import Place
from tests.chaos.storm.schedule import BRIDGE, POSTGRES, Fault, Kind
from tests.chaos.storm.tally import Tally
from tests.chaos.storm.upstream import Upstream

OF_THE_NETWORK: Final = {Kind.CUT, Kind.STALL, Kind.DELAY}
OF_POSTGRES: Final = {Kind.POSTGRES_STOP, Kind.POSTGRES_CRASH}


class Storm:
    """Breaks the parts of one market, their networks, their upstream, and the servers."""

    def __init__(self, place: Place, crew: Crew, upstream: Upstream, tally: Tally) -> None:
        self._place = place
        self._crew = crew
        self._upstream = upstream
        self._tally = tally
        self._broken: set[str] = set()
        """Servers that are stopped or frozen."""

    def inject(self, fault: Fault) -> None:
        """Let a fault happen, unless what it would break is broken already."""
        if self._break(fault):
            self._tally.faults[fault.kind] += 1
            self._tally.say(str(fault))
        else:
            self._tally.say(f"left out, for that is broken already: {fault}")

    def mend_all(self) -> None:
        """Servers and networks are good again, and servers answer."""
        for way in self._place.ways.values():
            for link in way:
                link.heal()
        for server in (self._place.kafka, self._place.postgres):
            self._mend(server)
            server.wait_ready()

    def _break(self, fault: Fault) -> bool:
        if fault.kind in OF_THE_NETWORK:
            return self._break_network(fault)
        if fault.target in self._crew.parts:
            return self._break_part(self._crew.parts[fault.target], fault)
        if fault.target == BRIDGE:
            return self._break_upstream(fault)
        return self._break_server(self._place.postgres if fault.kind in OF_POSTGRES else self._place.kafka, fault)

    def _break_part(self, part: Part, fault: Fault) -> bool:
        if fault.kind is Kind.CLOCK:
            part.step_clock(fault.amount)
            return True
        if not part.is_running:
            return False
        match fault.kind:
            case Kind.KILL:
                part.kill()
                self._crew.start_later(part, fault.seconds)
            case Kind.CRASH:
                part.kill()
                part.start(fault.point)
            case Kind.RESTART:
                part.ask_to_end()
            case _:
                part.freeze()
                self._crew.later(fault.seconds, part.thaw)
        return True

    def _break_network(self, fault: Fault) -> bool:
        way = self._place.ways[fault.target]
        link = way.postgres if fault.point == POSTGRES else way.kafka
        match fault.kind:
            case Kind.CUT:
                link.cut()
            case Kind.STALL:
                link.stall()
            case _:
                link.delay(fault.amount)
        self._crew.later(fault.seconds, link.heal)
        return True

    def _break_upstream(self, fault: Fault) -> bool:
        match fault.kind:
            case Kind.REDELIVERY:
                self._upstream.redeliver(int(fault.amount))
            case Kind.REORDERING:
                self._upstream.reorder(int(fault.amount))
            case _:
                self._upstream.be_late(int(fault.amount))
        return True

    def _break_server(self, server: Server, fault: Fault) -> bool:
        child = server.running()
        if server.name in self._broken or child is None:
            return False
        self._broken.add(server.name)
        process = psutil.Process(child.pid)
        match fault.kind:
            case Kind.BROKER_FREEZE:
                process.send_signal(signal.SIGSTOP)
            case Kind.BROKER_KILL:
                process.kill()
            case Kind.POSTGRES_CRASH:
                process.send_signal(signal.SIGQUIT)  # its immediate shutdown: the next start recovers from its log
        if fault.kind is not Kind.BROKER_FREEZE:
            server.stop()
        self._crew.later(fault.seconds, lambda: self._mend(server))
        return True

    def _mend(self, server: Server) -> None:
        if server.name not in self._broken:
            return
        child = server.running()
        if child is None:
            server.launch(detached=False)
        else:
            psutil.Process(child.pid).send_signal(signal.SIGCONT)
        self._broken.discard(server.name)
