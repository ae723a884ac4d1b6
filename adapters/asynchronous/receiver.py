"""What takes notifications and answers with records: the seam between messages and a service's writer.

It refuses to know what is written. The asynchronous paths let it judge events first, and call it again inside the
transaction that remembers the message.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection

from adapters.events import Event, Result


class Receiver(Protocol):
    """Applies events to a programme's data."""

    @property
    def senders(self) -> frozenset[str]:
        """The clients whose events are taken, ``INSTANCE/CLASS/MEMBER/SUBSYSTEM``; all others are refused."""

    def judge(self, sender: str, events: Sequence[Event]) -> Sequence[Any]:
        """Do what can be done without the database, so that no other message waits for it; in a thread of its own.

        Returns:
            what :meth:`receive` takes, one for each event.
        """

    def receive(self, connection: Connection, sender: str, events: Sequence[Any], at: datetime) -> list[Result]:
        """Apply events that were judged in the given transaction, and return one result for each, in their order."""
