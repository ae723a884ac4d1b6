"""What takes notifications and answers with records: the seam between messages and a service's writer.

It refuses to know what is written. The asynchronous paths call it inside the transaction that remembers the message.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from adapters.events import Event, Result


class Receiver(Protocol):
    """Applies events to a programme's data."""

    @property
    def senders(self) -> frozenset[str]:
        """The clients whose events are taken, ``INSTANCE/CLASS/MEMBER/SUBSYSTEM``; all others are refused."""

    def receive(self, connection: Connection, sender: str, events: Sequence[Event], at: datetime) -> list[Result]:
        """Apply events in the given transaction, and return one result for each, in their order."""
