"""What a simulated feed has sent, for its re-request server."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence


class KeptMessages:
    """The newest messages by their numbers, from 1 on: all of up to `room` bytes, and of more the newest half at least.

    Holes between them take no room, however long they are.
    """

    def __init__(self, room: int) -> None:
        self._half = room // 2
        self._halves = deque([_Stretches(1)], maxlen=2)

    @property
    def next_number(self) -> int:
        """Of the message to come."""
        return self._halves[-1].next_number

    def add(self, messages: Sequence[bytes]) -> None:
        """Keep the next messages; where both halves are full the older one goes."""
        if self._halves[-1].size >= self._half:
            self._halves.append(_Stretches(self.next_number))
        self._halves[-1].add(messages)

    def skip(self, count: int) -> None:
        """Leave a hole of so many."""
        self._halves[-1].skip(count)

    def stretch(self, first: int, count: int) -> list[bytes]:
        """So many messages from a number on, or those before the first that is not there."""
        found: list[bytes] = []
        for half in self._halves:
            found += half.stretch(first + len(found), count - len(found))
        return found


class _Stretches:
    """Messages one after the other, with holes between them."""

    def __init__(self, first: int) -> None:
        self.next_number = first
        self.size = 0
        self._messages: list[bytes] = []
        self._numbers = [first]
        """Of the first message of each stretch without a hole."""
        self._places = [0]
        """And where it is among all."""

    def add(self, messages: Sequence[bytes]) -> None:
        self._messages.extend(messages)
        self.next_number += len(messages)
        self.size += sum(map(len, messages))

    def skip(self, count: int) -> None:
        self.next_number += count
        self._numbers.append(self.next_number)
        self._places.append(len(self._messages))

    def stretch(self, first: int, count: int) -> list[bytes]:
        at = bisect_right(self._numbers, first) - 1
        if at < 0:
            return []
        place = self._places[at] + first - self._numbers[at]
        end = self._places[at + 1] if at + 1 < len(self._places) else len(self._messages)
        return self._messages[place : min(place + count, end)]
