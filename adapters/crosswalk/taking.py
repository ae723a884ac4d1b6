"""The crosswalk as others use it: it takes records of the standard, a record at a time or a whole registry.

It refuses to know where records come from and to begin a transaction: what is written belongs to the caller's.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from adapters.crosswalk.anchoring import Anchoring
from adapters.crosswalk.definition import Definition
from adapters.crosswalk.ending import Ending
from adapters.crosswalk.people import Person
from adapters.crosswalk.rows import Rows, chunks
from adapters.crosswalk.settling import Settling, Taken
from adapters.events import Event, EventsKey

REMOVED: Final = "REMOVE"
BATCH: Final = 500  # persons that are settled together: some hundred KB, and a statement costs more than a row

__all__ = ["BATCH", "Crosswalk", "Taken"]


class Crosswalk:
    """A crosswalk over the tables of events; use it from one thread at a time."""

    def __init__(self, key: EventsKey, definition: Definition) -> None:
        self.rows = Rows(key, definition)
        self.definition = definition
        self.settling = Settling(self.rows)
        self._anchoring = Anchoring(self.rows, self.settling)
        self.ending = Ending(self.rows, self.settling)

    def take(self, connection: Connection, registry: str, record: Mapping[str, Any], at: datetime) -> Taken:
        """Take one record, such as an event brings it; the same record twice changes nothing.

        Args:
            connection: in the caller's transaction.
            registry: what the crosswalk's file calls the list of persons.
            record: in the standard.
            at: now.

        Raises:
            ConfigError: there is no such registry.
        """
        return self.take_persons(connection, registry, list(self.definition.persons(registry, record)), at)

    def take_persons(self, connection: Connection, registry: str, people: Sequence[Person], at: datetime) -> Taken:
        """Take persons of one registry."""
        taken = Taken()
        taking = self._anchoring.take if registry == self.definition.anchor else self.settling.settle
        for part in chunks(people, BATCH):
            taken.add(taking(connection, part, at))
        return taken

    def hear(
        self, connection: Connection, registry: str, event: Event, at: datetime, *, gone: Collection[str] = (REMOVED,)
    ) -> Taken:
        """Do what an event of a registry says: take its record, or end it where its type is one of ``gone``.

        An event that says that a record is gone has no record: its changes have what the record was.
        """
        if event.event_type not in gone:
            return self.take(connection, registry, event.record, at)
        was = event.record or {each.field: each.old for each in event.changes if each.of is None}
        keys = [each.key for each in self.definition.persons(registry, was)]
        return Taken(ended=self.end(connection, registry, keys, at))

    def end(self, connection: Connection, registry: str, keys: Collection[str], at: datetime) -> int:
        """End the records of persons who are gone from a registry.

        Args:
            connection: in the caller's transaction.
            registry: what the crosswalk's file calls the list of persons.
            keys: what names the persons there.
            at: now.

        Returns:
            how many of them were here.
        """
        ended = 0
        for part in chunks(dict.fromkeys(keys), BATCH):
            if registry == self.definition.anchor:
                ended += self.ending.entries(connection, part, at)
            else:
                ended += self.ending.records(connection, registry, part, at)
        return ended

    def batches(self, registry: str, records: Iterable[Mapping[str, Any]]) -> Iterator[list[Person]]:
        """Yield the persons of records, some at a time, for a transaction each."""
        return chunks((person for record in records for person in self.definition.persons(registry, record)), BATCH)
