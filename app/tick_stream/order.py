"""Puts one venue's messages into order: nothing is handed out before all that is before it, or said to be lost."""

from dataclasses import dataclass, field

from app.tick_stream.items import Hole, Lost, Tick


@dataclass
class _Session:
    id: bytes
    next: int
    """Number of the message that comes next."""
    known_last: int = 0
    """Highest number that the session is known to have."""
    held: dict[int, Tick] = field(default_factory=dict)
    """Messages that came before those in front of them."""


class VenueOrder:
    """The order of one venue's messages, over the bridge's sessions.

    The first message heard begins the stream. What is in order is in `ready`, for the owner to take away.
    """

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._sessions: list[_Session] = []
        self._ended: set[bytes] = set()
        self.ready: list[Tick | Lost] = []

    @property
    def held(self) -> int:
        """How many messages wait for others."""
        return sum(len(session.held) for session in self._sessions)

    def take(self, tick: Tick) -> None:
        """Take a message, live or missed before; one that was there already is left out."""
        session = self._session(tick.session, tick.sequence)
        if session is None or tick.sequence < session.next:
            return
        session.held[tick.sequence] = tick
        session.known_last = max(session.known_last, tick.sequence)
        self._advance()

    def knows(self, session_id: bytes, last: int) -> None:
        """Learn that a session has messages up to a number, whether they came or not."""
        session = self._session(session_id, last + 1)
        if session is not None:
            session.known_last = max(session.known_last, last)

    def hole(self) -> Hole | None:
        """What holds the stream back."""
        if not self._sessions:
            return None
        session = self._sessions[0]
        if session.next <= session.known_last:
            last = min(session.held, default=session.known_last + 1) - 1
            return Hole(session.id, session.next, last)
        if len(self._sessions) > 1:
            return Hole(session.id, session.next, None, self._sessions[1].id)
        return None

    def lose(self, hole: Hole, reason: str) -> None:
        """Go on behind what is left of a hole, telling so."""
        if not self._sessions or (session := self._sessions[0]).id != hole.session:
            return
        if hole.last is None:
            self.ready.append(Lost(self._venue, session.id, session.next, None, reason))
            self.end(session.id)
        elif session.next <= hole.last:
            last = min(hole.last, min(session.held, default=hole.last + 1) - 1)
            self.ready.append(Lost(self._venue, session.id, session.next, last, reason))
            session.next = last + 1
            self._advance()

    def insert(self, session_id: bytes, before: bytes) -> None:
        """Learn of a session that nobody heard, between two that are known; too late once the second has begun."""
        places = {session.id: place for place, session in enumerate(self._sessions)}
        if session_id not in places and session_id not in self._ended and places.get(before, 0) > 0:
            self._sessions.insert(places[before], _Session(session_id, 1))

    def end(self, session_id: bytes) -> None:
        """Go on to the session behind this one, which is complete."""
        if len(self._sessions) > 1 and self._sessions[0].id == session_id:
            self._ended.add(self._sessions.pop(0).id)
            self._advance()

    def _session(self, session_id: bytes, first: int) -> _Session | None:
        """The session of a message; None for one that has ended. The first of all begins where it is first heard."""
        for session in self._sessions:
            if session.id == session_id:
                return session
        if session_id in self._ended:
            return None
        self._sessions.append(_Session(session_id, 1 if self._sessions else first))
        return self._sessions[-1]

    def _advance(self) -> None:
        session = self._sessions[0]
        while (tick := session.held.pop(session.next, None)) is not None:
            self.ready.append(tick)
            session.next += 1
