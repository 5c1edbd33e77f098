"""A worker joins its group as soon as the others let it, and who leads the group has to know of all partitions."""

import asyncio
import logging
from typing import Any, Final

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import InconsistentGroupProtocolError

log = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 1.0


class PatientCoordinator(GroupCoordinator):  # type: ignore[misc]  # aiokafka has no types
    """Waits until its group takes it, and for topics that the brokers did not tell of.

    While a group has workers that are given their partitions in another way, Kafka refuses one of ours, as it does one
    that may not use the group. aiokafka keeps that for who reads from it next, whom Faust has nobody for before it has
    partitions, and never asks again.

    A broker that has just come back knows of no topic for a moment. aiokafka takes one for a topic without partitions
    then, gives everybody none, and looks again in five minutes.
    """

    _seeking: asyncio.Task[None] | None = None

    async def ensure_active_group(self, subscription: Any, prev_assignment: Any) -> Any:  # noqa: ANN401 - aiokafka's
        """Join the group once; None where that is to be tried anew."""
        try:
            return await super().ensure_active_group(subscription, prev_assignment)
        except InconsistentGroupProtocolError:
            log.warning("group %s has workers of another release: this one waits until they are gone", self.group_id)
            await asyncio.wait({self._closing}, timeout=LOOK_AGAIN_S)
            return None

    async def _push_error_to_user(self, exc: Exception) -> None:
        """Keep an error for who reads next, or try again while there is nobody."""
        subscription = self._subscription.subscription
        if subscription is not None and subscription.assignment is not None:
            await super()._push_error_to_user(exc)
            return
        log.error("group %s cannot be joined, and it is tried again: %s", self.group_id, exc)
        await asyncio.wait({self._closing}, timeout=LOOK_AGAIN_S)

    async def _perform_assignment(self, response: Any) -> Any:  # noqa: ANN401 - aiokafka's
        assignments = await super()._perform_assignment(response)
        if self._lacks_topics() and (self._seeking is None or self._seeking.done()):
            self._seeking = asyncio.create_task(self._seek_topics())
        return assignments

    def _lacks_topics(self) -> bool:
        """Whether this is the group's leader, and some topic has no partitions."""
        return self._group_subscription is not None and not all(self._metadata_snapshot.values())

    async def _seek_topics(self) -> None:
        """Ask the brokers until they tell of all; aiokafka has the group join anew for each that is found."""
        while self._lacks_topics() and not self._closing.done():
            await asyncio.wait({self._closing}, timeout=LOOK_AGAIN_S)
            update = self._client.force_metadata_update()
            await asyncio.wait({self._closing, update}, return_when=asyncio.FIRST_COMPLETED)
