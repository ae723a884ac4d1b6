"""Takes out who is gone from a registry: links end, the history of them stays, and what is not needed is emptied.

It refuses to end what it was not told of. A record that comes back is taken as a new one, whatever a human decided
about the one before, except that two are different persons.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, or_, select, update

from adapters.crosswalk.people import Person
from adapters.crosswalk.rows import PERSON, RECORD, Rows
from adapters.crosswalk.settling import LINKED, OPEN, REVIEW, SPLIT, Settling
from adapters.events.canonical import NOTHING
from adapters.events.store import milliseconds
from adapters.events.tables import CROSSWALK_LINK, CROSSWALK_PERSON, CROSSWALK_RECORD

ENDED: Final = "ended"
GONE: Final = "gone"  # basis of a link that ended so
_IN_FORCE: Final = frozenset({LINKED, REVIEW})


class Ending:
    """Ends records and entries in a transaction of the caller's."""

    def __init__(self, rows: Rows, settling: Settling) -> None:
        self._rows, self._settling = rows, settling
        self._by = f"{rows.definition.name} {rows.definition.version}"

    def records(self, connection: Connection, registry: str, keys: Collection[str], at: datetime) -> int:
        """End records of a registry; returns how many were there."""
        rows, table = self._rows, CROSSWALK_RECORD
        known = {rows.words.record(registry, key): key for key in keys}
        found = {word: row for word, row in rows.records_of(connection, known).items() if row.state != ENDED}
        ids = [row.id for row in found.values()]
        self._end_links(connection, [link for links in rows.links(connection, ids).values() for link in links], at)
        rows.drop_words(connection, RECORD, ids)
        for word, row in found.items():
            emptied = rows.key.seal(Person(registry, known[word]).to_json())
            values = {"sealed": emptied, "digest": NOTHING, "state": ENDED, "person": None, "at": milliseconds(at)}
            connection.execute(update(table).where(table.c.id == row.id).values(**values))
        self._settling.refresh(connection, {row.person for row in found.values()})
        return len(found)

    def entries(self, connection: Connection, spids: Collection[str], at: datetime) -> int:
        """End entries of the registry that gives SPIDs; their records are settled again, without them."""
        rows, table = self._rows, CROSSWALK_PERSON
        found = {each.id: each for each in rows.people_of(connection, spids).values() if each.state != ENDED}
        rows.drop_words(connection, PERSON, found)
        for kept in found.values():
            emptied = rows.seal_person(Person(kept.person.registry, kept.person.key))
            values = {"sealed": emptied, "digest": NOTHING, "state": ENDED, "into": None, "at": milliseconds(at)}
            connection.execute(update(table).where(table.c.id == kept.id).values(**values))
        if found:
            self._settle_again(connection, found, at)
        return len(found)

    def missing(self, connection: Connection, registry: str, seen: Collection[bytes]) -> tuple[list[str], int]:
        """Return the keys of those who are here and were not seen, and how many are here.

        Args:
            connection: to the crosswalk.
            registry: whose records were all read.
            seen: the keyed hash of each of them, see :meth:`word`.
        """
        if registry == self._rows.definition.anchor:
            people = CROSSWALK_PERSON
            asked = select(people.c.spid, people.c.sealed).where(people.c.state != ENDED)
        else:
            table = CROSSWALK_RECORD
            asked = select(table.c.key, table.c.sealed).where(table.c.registry == registry, table.c.state != ENDED)
        left, here = [], 0
        for word, sealed in connection.execute(asked):
            here += 1
            if word not in seen:
                left.append(self._key(self._rows.key.unseal(sealed)))
        return left, here

    def word(self, registry: str, key: str) -> bytes:
        """Return what tells a record of a registry that was read."""
        words = self._rows.words
        return words.spid(key) if registry == self._rows.definition.anchor else words.record(registry, key)

    @staticmethod
    def _key(data: dict[str, Any]) -> str:
        return Person.from_json(data.get("person", data)).key

    def _settle_again(self, connection: Connection, people: Collection[int], at: datetime) -> None:
        links, table = CROSSWALK_LINK, CROSSWALK_RECORD
        about = or_(links.c.person.in_(people), links.c.twin.in_(people))
        ended = connection.execute(select(links).where(about, links.c.state.in_(_IN_FORCE))).all()
        self._end_links(connection, ended, at)
        records = {each.record for each in ended if each.record is not None}
        loose = table.c.id.in_(records), table.c.person.in_(people)
        connection.execute(update(table).where(*loose).values(state=OPEN, person=None))
        waiting: dict[str, list[Person]] = {}
        for row in self._rows.records(connection, records).values():
            waiting.setdefault(row.registry, []).append(self._rows.person_of(row))
        for each in waiting.values():
            self._settling.settle(connection, each, at, again=True)

    def _end_links(self, connection: Connection, links: Iterable[Row[Any]], at: datetime) -> None:
        """A human's word ends too: it was about what is gone. That two are different persons stays said."""
        for link in links:
            if link.state in _IN_FORCE:
                values = {"state": SPLIT, "basis": GONE, "human": 0, "by": self._by, "at": milliseconds(at)}
                self._rows.change_link(connection, link, **values)
                self._rows.close(connection, link.id)
