"""Lets one process at a time take what goes to a receiver: so order and rate hold, however many there are.

It refuses to wait while another has the receiver: it is asked again later. The queues hold a receiver while they take
from its rows; the claim ends with the process, however that ends.
"""

import asyncio
import hashlib
from typing import TYPE_CHECKING

from adapters.events.store import EventsStore
from serverkit.database import DatabaseUnusable

if TYPE_CHECKING:
    from serverkit.claims import Claim


class Hold:
    """The claim on one receiver's rows."""

    def __init__(self, store: EventsStore, receiver: str) -> None:
        self._database = store.database
        self._name = f"outbox {hashlib.sha256(receiver.encode()).hexdigest()[:16]}"  # short: it may name a file
        self._claim: Claim | None = None

    async def held(self) -> bool:
        """Tell whether this process has the receiver, and take it when nobody does."""
        return await asyncio.to_thread(self._held)

    async def release(self) -> None:
        """Let others have it."""
        await asyncio.to_thread(self._release)

    def _held(self) -> bool:
        if self._claim is not None and self._claim.held():
            return True
        self._release()
        try:
            self._claim = self._database.claim(self._name)
        except DatabaseUnusable:
            return False
        return True

    def _release(self) -> None:
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.release()
