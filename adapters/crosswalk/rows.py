"""Reads and writes the rows of the crosswalk in a transaction of the caller's, sealed and unsealed.

It refuses to decide. What is asked for many is asked at once, because a statement costs more than a row.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from adapters.crosswalk.comparing import Features, Gathered, features
from adapters.crosswalk.definition import Definition
from adapters.crosswalk.people import Number, Person
from adapters.crosswalk.words import Words
from adapters.events import EventsKey
from adapters.events.tables import (
    CROSSWALK_FINDING,
    CROSSWALK_HISTORY,
    CROSSWALK_LINK,
    CROSSWALK_PERSON,
    CROSSWALK_RECORD,
    CROSSWALK_WORD,
)

PERSON, RECORD = 0, 1
"""Whom a word finds."""
CROWD: Final = 200  # persons in one block: whoever is found among so many is not found by it
_AT_ONCE: Final = 5_000  # parameters of a statement; SQLite takes 32,766
_MERGES: Final = 8  # a SPID that was merged into one that was merged …; a longer chain is an error of the registry
_KEPT: Final = 20_000  # persons that are kept unsealed: 20 MB
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('spean crosswalk', 0))")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Kept:
    """A person of the crosswalk, unsealed.

    Args:
        id: of the row.
        features: as the registry has the person, with what linked records add.
        gathered: the numbers of linked records.
        state: active, or merged into another.
        digest: of the registry's entry.
    """

    id: int
    features: Features
    gathered: frozenset[Number]
    state: str
    into: int | None
    digest: bytes

    @property
    def person(self) -> Person:
        """As the registry has the person."""
        return self.features.person


class Rows:
    """The tables of a crosswalk and the key of their values."""

    def __init__(self, key: EventsKey, definition: Definition) -> None:
        self.key, self.definition = key, definition
        self.words = Words(key, definition)
        self._unsealed: dict[bytes, tuple[Features, frozenset[Number]]] = {}

    @staticmethod
    def alone(connection: Connection) -> None:
        """Let one transaction at a time decide; SQLite has one writer anyway.

        Two that decide of what both have read would both let somebody sit where one may.
        """
        if connection.dialect.name == "postgresql":
            connection.execute(_LOCK)

    # Persons ---------------------------------------------------------------------------------------------------------

    def people(self, connection: Connection, ids: Collection[int]) -> dict[int, Kept]:
        """Return persons by their rows."""
        table = CROSSWALK_PERSON
        return {row.id: self._kept(row) for row in _all(connection, table, table.c.id, ids)}

    def people_of(self, connection: Connection, spids: Collection[str]) -> dict[str, Kept]:
        """Return persons by their SPIDs."""
        table, words = CROSSWALK_PERSON, {self.words.spid(each): each for each in spids}
        return {words[row.spid]: self._kept(row) for row in _all(connection, table, table.c.spid, words)}

    def current(self, connection: Connection, ids: Collection[int]) -> dict[int, Kept]:
        """Return, for each person, the one that counts now, after merges."""
        found, wanted = self.people(connection, ids), {each: each for each in ids}
        for _ in range(_MERGES):
            moved = {each: found[at].into for each, at in wanted.items() if at in found and found[at].into is not None}
            if not moved:
                break
            wanted |= moved  # type: ignore[arg-type]  # None was left out
            found |= self.people(connection, set(moved.values()) - set(found))  # type: ignore[arg-type]
        return {each: found[at] for each, at in wanted.items() if at in found}

    def seal_person(self, person: Person, gathered: Iterable[Number] = ()) -> bytes:
        """Return what a row of a person holds."""
        numbers = sorted((each.kind, each.value, each.registry) for each in gathered)
        return self.key.seal({"person": person.to_json(), "gathered": numbers})

    def _kept(self, row: Row[Any]) -> Kept:
        found = self._unsealed.get(row.sealed)
        if found is None:
            data = self.key.unseal(row.sealed)
            gathered = frozenset(Number(*each) for each in data["gathered"])
            found = self.folded(Person.from_json(data["person"]), gathered), gathered
            if len(self._unsealed) >= _KEPT:
                self._unsealed.clear()
            self._unsealed[row.sealed] = found
        return Kept(row.id, *found, row.state, row.into, row.digest)

    def folded(self, person: Person, gathered: Collection[Number] = ()) -> Features:
        """Fold a person for comparing."""
        exclusive = frozenset((n.kind, n.value) for n in gathered if n.kind in self.definition.exclusive)
        cards = frozenset((n.kind, n.value) for n in gathered if n.kind in self.definition.household)
        return features(person, self.definition.exclusive, Gathered(exclusive, cards))

    def digest(self, person: Person) -> bytes:
        """Return what tells whether a person is as before."""
        return self.words.digest(json.dumps(person.to_json(), sort_keys=True))

    # Records ---------------------------------------------------------------------------------------------------------

    def records(self, connection: Connection, ids: Collection[int]) -> dict[int, Row[Any]]:
        """Return records by their rows."""
        return {row.id: row for row in _all(connection, CROSSWALK_RECORD, CROSSWALK_RECORD.c.id, ids)}

    def records_of(self, connection: Connection, keys: Collection[bytes]) -> dict[bytes, Row[Any]]:
        """Return records by their keys."""
        return {row.key: row for row in _all(connection, CROSSWALK_RECORD, CROSSWALK_RECORD.c.key, keys)}

    def linked(self, connection: Connection, people: Collection[int]) -> dict[int, list[Row[Any]]]:
        """Return the records that are linked with persons."""
        found: dict[int, list[Row[Any]]] = defaultdict(list)
        for row in _all(connection, CROSSWALK_RECORD, CROSSWALK_RECORD.c.person, people):
            found[row.person].append(row)
        return found

    def person_of(self, row: Row[Any]) -> Person:
        """Return the person of a record's row."""
        return Person.from_json(self.key.unseal(row.sealed))

    # Links -----------------------------------------------------------------------------------------------------------

    def links(self, connection: Connection, records: Collection[int]) -> dict[int, list[Row[Any]]]:
        """Return what was decided of records."""
        found: dict[int, list[Row[Any]]] = defaultdict(list)
        for row in _all(connection, CROSSWALK_LINK, CROSSWALK_LINK.c.record, records):
            found[row.record].append(row)
        return found

    def change_link(self, connection: Connection, row: Row[Any], **values: object) -> None:
        """Write a new decision over an old one, which goes into the history."""
        old = {name: getattr(row, name) for name in ("at", "state", "basis", "weight", "by", "sealed")}
        connection.execute(insert(CROSSWALK_HISTORY).values(link=row.id, **old))
        connection.execute(update(CROSSWALK_LINK).where(CROSSWALK_LINK.c.id == row.id).values(**values))

    def find(self, connection: Connection, link: int, kinds: Collection[str], *, state: str, at: int) -> int:
        """Note what does not fit of a link; what is known stays, unless it was over. Returns how much is new."""
        table = CROSSWALK_FINDING
        again = table.c.link == link, table.c.kind.in_(sorted(kinds)), table.c.state == "closed"
        reopened = connection.execute(update(table).where(*again).values(state=state, at=at)).rowcount
        known = select(table.c.kind).where(table.c.link == link)
        new = sorted(set(kinds) - set(connection.scalars(known)))
        if new:
            connection.execute(
                insert(CROSSWALK_FINDING), [{"link": link, "kind": each, "state": state, "at": at} for each in new]
            )
        return len(new) + reopened

    def close(self, connection: Connection, link: int) -> None:
        """A finding about a pair that is none any more is over."""
        table = CROSSWALK_FINDING
        connection.execute(update(table).where(table.c.link == link).values(state="closed"))

    # Words -----------------------------------------------------------------------------------------------------------

    def owners(self, connection: Connection, kind: int, words: Collection[bytes]) -> dict[bytes, list[int]]:
        """Return whom words find; a word that finds a crowd finds nobody."""
        table, found = CROSSWALK_WORD, defaultdict(list)
        place = func.row_number().over(partition_by=table.c.word).label("place")
        for part in chunks(words, _AT_ONCE):
            inner = select(table.c.word, table.c.owner, place).where(table.c.word.in_(part), table.c.kind == kind)
            rows = inner.subquery()
            for row in connection.execute(select(rows.c.word, rows.c.owner).where(rows.c.place <= CROWD + 1)):
                found[row.word].append(row.owner)
        return {word: owners for word, owners in found.items() if len(owners) <= CROWD}

    def add_words(self, connection: Connection, kind: int, words: Mapping[int, Collection[bytes]]) -> None:
        """Let owners be found by words, beside those that find them already."""
        rows = [{"word": word, "kind": kind, "owner": owner} for owner, each in words.items() for word in each]
        if rows:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            connection.execute(dialect.insert(CROSSWALK_WORD).on_conflict_do_nothing(), rows)

    def drop_words(self, connection: Connection, kind: int, owners: Collection[int]) -> None:
        """Let owners be found no longer."""
        table = CROSSWALK_WORD
        for part in chunks(owners, _AT_ONCE):
            connection.execute(delete(table).where(table.c.kind == kind, table.c.owner.in_(part)))


def _all(
    connection: Connection, table: Table, column: ColumnElement[_T], values: Collection[_T] | Mapping[_T, object]
) -> Iterator[Row[Any]]:
    for part in chunks(values, _AT_ONCE):
        yield from connection.execute(select(table).where(column.in_(part)))


def chunks(values: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Cut values into lists of at most ``size``."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
