"""The crosswalk as a source of records: asked by a number, it gives the person's SPID and where else the person is.

It refuses to search by anything but numbers, and by a number of one registry without the registry: the same number
means another person elsewhere. What of a record leaves is decided by the release declaration, as everywhere.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta, timezone
from functools import cached_property, partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, func, select

from adapters.crosswalk.opening import Opened, open_crosswalk
from adapters.crosswalk.people import LOCAL, number
from adapters.crosswalk.rows import PERSON
from adapters.errors import EventsError, SearchRejected, SourceError
from adapters.events.store import moment
from adapters.events.tables import CROSSWALK_PERSON
from adapters.source.comparing import INVALID, checked
from adapters.source.connection import CrosswalkConnection
from adapters.source.definition import SourceDefinition
from adapters.source.filters import And, Comparison, Filter, Query
from adapters.source.protocol import Found, Placed, Record

REGISTRY: Final = "registry"
BATCH: Final = 500
_T = TypeVar("_T")
_CAMBODIA: Final = timezone(timedelta(hours=7))
_TOO_MANY: Final = "rjct.search.too_many_records_found"


class CrosswalkSource:
    """A crosswalk that is read; its calls block, so that it runs in threads."""

    def __init__(self, definition: SourceDefinition, connection: CrosswalkConnection) -> None:
        self.definition = definition
        self._connection = connection

    @cached_property
    def _opened(self) -> Opened:
        return open_crosswalk(self._connection)

    def find(self, query: Query) -> Found:
        """Return a page of persons who have all the numbers that are asked by."""
        if query.sort:
            raise SearchRejected(INVALID, "persons of a crosswalk have no order")
        asked = self._asked(query.where)
        return self._read(lambda connection: self._page(connection, asked, query))

    def batches(self) -> Iterator[list[Placed]]:
        """Yield everybody who counts."""
        last = 0
        while batch := self._read(partial(self._after, last=last)):
            last = batch[-1][0]
            yield [placed for _, placed in batch]

    def count(self) -> int | None:
        """Return how many persons count."""
        statement = select(func.count()).select_from(CROSSWALK_PERSON).where(CROSSWALK_PERSON.c.state == "active")
        return self._read(lambda connection: connection.execute(statement).scalar_one())

    def check(self) -> None:
        """Open the database."""
        self._read(lambda connection: connection.execute(select(CROSSWALK_PERSON.c.id).limit(1)).all())

    def close(self) -> None:
        """Close the database, if it was ever used."""
        if "_opened" in self.__dict__:
            self._opened.store.database.close()

    def _read(self, work: Callable[[Connection], _T]) -> _T:
        try:
            return self._opened.store.read_now(work)
        except EventsError as error:
            raise SourceError(f"{self.definition.file}: {error}") from error

    def _asked(self, where: Filter) -> list[frozenset[bytes]]:
        """Return, for each number that is asked by, the words of its values."""
        comparisons = list(_flat(where))
        of = {each.attribute: checked(self.definition, each)[1] for each in comparisons}
        registries = of.pop(REGISTRY, [])
        if not of or len(of) + bool(registries) < len(comparisons):
            raise SearchRejected(INVALID, "a crosswalk is asked by numbers, each once")
        if (LOCAL in of) != (len(registries) == 1):
            raise SearchRejected(INVALID, "LOCAL_ID is asked by together with the one registry whose number it is")
        registry, words = str(registries[0]) if registries else "", self._opened.crosswalk.rows.words
        return [frozenset(words.number(number(kind, str(v), registry)) for v in values) for kind, values in of.items()]

    def _page(self, connection: Connection, asked: list[frozenset[bytes]], query: Query) -> Found:
        rows = self._opened.crosswalk.rows
        owners = rows.owners(connection, PERSON, frozenset().union(*asked))
        current = rows.current(connection, {each for found in owners.values() for each in found})
        counts = {each: kept.id for each, kept in current.items() if kept.state == "active"}  # not merged into one gone
        sets = [{counts[o] for word in words for o in owners.get(word, ()) if o in counts} for words in asked]
        ids = sorted(set.intersection(*sets))
        if len(ids) > query.max_matches:
            raise SearchRejected(_TOO_MANY, f"more than {query.max_matches} persons match")
        page = self._records(connection, ids[query.offset : query.offset + query.limit])
        return Found(len(ids), tuple(page.values()))

    def _after(self, connection: Connection, last: int) -> list[tuple[int, Placed]]:
        table = CROSSWALK_PERSON
        statement = select(table.c.id).where(table.c.id > last, table.c.state == "active").order_by(table.c.id)
        found = self._records(connection, list(connection.scalars(statement.limit(BATCH))))
        return [(person, Placed(f"person {person}", record)) for person, record in found.items()]

    def _records(self, connection: Connection, ids: list[int]) -> Mapping[int, Record]:
        rows = self._opened.crosswalk.rows
        people, linked = rows.people(connection, ids), rows.linked(connection, ids)
        at = dict(
            connection.execute(
                select(CROSSWALK_PERSON.c.id, CROSSWALK_PERSON.c.at).where(CROSSWALK_PERSON.c.id.in_(ids))
            ).all()
        )
        found = {}
        for each in ids:
            entries = [self._entry(row) for row in sorted(linked[each], key=lambda row: (row.registry, row.id))]
            changed = max((row.at for row in linked[each]), default=at[each])
            found[each] = {
                "spid": people[each].person.key,
                "numbers": [
                    {"kind": n.kind, "value": n.value} for n in people[each].person.numbers if n.kind != "SPID"
                ],
                "entries": entries,
                "updatedAt": moment(max(changed, at[each])).astimezone(_CAMBODIA).isoformat(timespec="seconds"),
            }
        return found

    def _entry(self, row: Any) -> Record:  # noqa: ANN401  # a row
        definition = self._opened.crosswalk.definition
        registry = definition.registries[row.registry]
        person = self._opened.crosswalk.rows.person_of(row)
        return {"registry": registry.code, "kind": registry.where.key, "value": person.key}


def _flat(where: Filter) -> Iterator[Comparison]:
    match where:
        case Comparison():
            yield where
        case And(parts=parts):
            for part in parts:
                yield from _flat(part)
        case _:
            raise SearchRejected(INVALID, "a crosswalk is asked by numbers, joined by $and only")
