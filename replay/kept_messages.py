"""What a simulated feed has sent, for its re-request server."""

from bisect import bisect_right
from collections.abc import Sequence


class KeptMessages:
    """Messages by their numbers, from 1 on; holes between them take no room, however long they are."""

    def __init__(self) -> None:
        self.next_number = 1
        self._messages: list[bytes] = []
        self._numbers = [1]
        """Of the first message of each stretch without a hole."""
        self._places = [0]
        """And where it is among all."""

    def add(self, messages: Sequence[bytes]) -> None:
        """Keep the next messages."""
        self._messages.extend(messages)
        self.next_number += len(messages)

    def skip(self, count: int) -> None:
        """Leave a hole of so many."""
        self.next_number += count
        self._numbers.append(self.next_number)
        self._places.append(len(self._messages))

    def stretch(self, first: int, count: int) -> list[bytes]:
        """So many messages from a number on, or those before the first that is not there."""
        at = bisect_right(self._numbers, first) - 1
        if at < 0:
            return []
        place = self._places[at] + first - self._numbers[at]
        end = self._places[at + 1] if at + 1 < len(self._places) else len(self._messages)
        return self._messages[place : min(place + count, end)]
