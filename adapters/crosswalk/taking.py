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
from adapters.crosswalk.heard import Heard
from adapters.crosswalk.people import Person
from adapters.crosswalk.rows import Rows, chunks
from adapters.crosswalk.settling import Settling, Taken
from adapters.events import EventsKey

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
        self.heard = Heard(self.rows)

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
        self.rows.alone(connection)
        taken = Taken()
        taking = self._anchoring.take if registry == self.definition.anchor else self.settling.settle
        for part in chunks(people, BATCH):
            taken.add(taking(connection, part, at))
        return taken

    def take_read(
        self, connection: Connection, registry: str, people: Sequence[Person], at: datetime, *, since: datetime
    ) -> Taken:
        """Take persons out of a reading that began at a time; whoever an event was about since then is left alone.

        What was read of such a person may be older than what the event said.
        """
        self.rows.alone(connection)
        newer = self.heard.since(connection, registry, [each.key for each in people], since)
        taken = self.take_persons(connection, registry, [each for each in people if each.key not in newer], at)
        taken.unchanged += sum(each.key in newer for each in people)
        return taken

    def kept(self, connection: Connection, registry: str, keys: Collection[str]) -> dict[str, Person]:
        """Return persons of a registry as they were last taken, by key; of who is gone, no more than the key."""
        if registry == self.definition.anchor:
            return {spid: each.person for spid, each in self.rows.people_of(connection, keys).items()}
        words = {self.rows.words.record(registry, each): each for each in keys}
        found = self.rows.records_of(connection, words)
        return {words[word]: self.rows.person_of(row) for word, row in found.items()}

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
        self.rows.alone(connection)
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
