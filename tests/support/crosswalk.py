"""A crosswalk in a folder, and persons for it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, select

from adapters.crosswalk import Crosswalk, Taken, load_definition
from adapters.crosswalk.people import Number, Person
from adapters.crosswalk.reviewing import Shown, decide_pair, of_person, waiting
from adapters.events import EventsKey, EventsStore, open_events
from adapters.events.tables import CROSSWALK_LINK, CROSSWALK_RECORD
from adapters.services import PROGRAMMES

DECLARATION = PROGRAMMES / "crosswalk" / "crosswalk.yaml"
KEY = EventsKey(bytes(range(32)))
AT = datetime(2026, 11, 1, 9, tzinfo=UTC)
_T = TypeVar("_T")

SOPHEA = Person(
    "spr", "AAAA-0001", "កែវ", "សុភា", "Keo", "Sophea", "female", "1990-03-21", 1990, "12040911",
    numbers=(Number("SPID", "AAAA-0001"), Number("KHM_ID", "012345678")),
)  # fmt: skip


def elsewhere(registry: str, key: str, person: Person = SOPHEA, /, **changes: object) -> Person:
    """The same person in another registry, without SPID and card unless they are given."""
    return replace(person, **{"registry": registry, "key": key, "numbers": (), "replaced_by": "", **changes})  # type: ignore[arg-type]  # fields of a person


def entry(spid: str, person: Person = SOPHEA, /, **changes: object) -> Person:
    """An entry of the registry that gives SPIDs."""
    return elsewhere("spr", spid, person, **{"numbers": (Number("SPID", spid),), **changes})


class Bench:
    """A crosswalk and its database."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.file = folder / "crosswalk.sqlite"
        self.crosswalk = Crosswalk(KEY, load_definition(DECLARATION))
        self.store: EventsStore = open_events(url or f"sqlite:///{self.file}", KEY, config="crosswalk")

    def take(self, *people: Person) -> Taken:
        """Take persons, a registry at a time, in the order given."""
        taken = Taken()
        for each in people:
            taken.add(self.take_all([each]))
        return taken

    def take_all(self, people: Sequence[Person]) -> Taken:
        """Take persons of one registry together."""
        return self.write(lambda c: self.crosswalk.take_persons(c, people[0].registry, people, AT))

    def write(self, work: Callable[[Connection], _T]) -> _T:
        """Run work in a transaction."""
        return self.store.write_now(work)

    def waiting(self) -> list[Shown]:
        """Give what waits for a human."""
        return self.store.read_now(lambda c: waiting(c, self.crosswalk))

    def decide(self, pair: str, verdict: str, *, reason: str = "asked the commune") -> None:
        """Decide as a human."""
        self.write(lambda c: decide_pair(c, self.crosswalk, pair, verdict, by="sokha", reason=reason, at=AT))

    def person_of(self, registry: str, key: str) -> str | None:
        """Give the SPID that a record is linked with."""

        def read(connection: Connection) -> str | None:
            row = self.crosswalk.rows.records_of(connection, [self.crosswalk.rows.words.record(registry, key)])
            [found] = row.values()
            return (
                None
                if found.person is None
                else self.crosswalk.rows.people(connection, [found.person])[found.person].person.key
            )

        return self.store.read_now(read)

    def records_of(self, registry: str) -> list[object]:
        """Give the rows of all records of a registry."""
        statement = select(CROSSWALK_RECORD).where(CROSSWALK_RECORD.c.registry == registry)
        return list(self.store.read_now(lambda c: c.execute(statement).all()))

    def state_of(self, registry: str, key: str) -> str:
        """Give what became of a record."""
        word = self.crosswalk.rows.words.record(registry, key)
        statement = select(CROSSWALK_RECORD.c.state).where(CROSSWALK_RECORD.c.key == word)
        return str(self.store.read_now(lambda c: c.execute(statement).scalar_one()))

    def links(self) -> list[tuple[str, str, int]]:
        """Give state, basis and whether by a human of all links."""
        table = CROSSWALK_LINK
        statement = select(table.c.state, table.c.basis, table.c.human).order_by(table.c.id)
        return [(row[0], row[1], row[2]) for row in self.store.read_now(lambda c: c.execute(statement).all())]

    def of(self, spid: str) -> list[Shown]:
        """Give all that was decided of a person."""

        def read(connection: Connection) -> list[Shown]:
            kept = self.crosswalk.rows.people_of(connection, [spid])[spid]
            return of_person(connection, self.crosswalk, kept.id)

        return self.store.read_now(read)
