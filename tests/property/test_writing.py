"""Whatever order events come in, how often, and what staff does between them: the rows are those of the rules."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, StaticPool, create_engine, text
from sqlalchemy import event as listening

from adapters.events import Event, Result
from adapters.events.model import Status
from adapters.events.tables import META
from adapters.writing import Writer
from tests.support.writing import FAMILY, LINE, NOW, SENDER, event, family, made_writer

FAMILIES = ("A", "B")
VILLAGES = ("12010101", "12010102", "12010103")
SIZES = (None, 1, 2, 3)
FIELDS = ("village", "size")
BY_PATH = {"group.address[first].village_code": "village", "group.group_size": "size"}


@dataclass(frozen=True)
class Rows:
    """The registry in memory; nothing of an example outlives it."""

    connection: Connection
    writer: Writer

    def receive(self, *events: Event) -> list[Result]:
        return self.writer.receive(self.connection, SENDER, events, NOW)

    def edit(self, edit: "Edit") -> None:
        statement = f"UPDATE family SET {edit.name} = :value WHERE spr_no = :number"  # noqa: S608  # a name of this test's own
        self.connection.execute(text(statement), {"value": edit.value, "number": edit.family})

    def rows(self) -> dict[str, dict[str, Any]]:
        found = self.connection.execute(text("SELECT spr_no, village, size FROM family"))
        return {number: {"village": village, "size": size} for number, village, size in found}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Database"]:
    engine = create_engine("sqlite://", poolclass=StaticPool)

    @listening.listens_for(engine, "connect")
    def by_hand(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @listening.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    META.create_all(engine)
    with engine.begin() as connection:
        for each in (FAMILY, LINE):
            connection.execute(text(each))
    yield Database(engine, made_writer(tmp_path_factory.mktemp("writing")))
    engine.dispose()


@dataclass(frozen=True)
class Database:
    engine: Any
    writer: Writer

    @contextmanager
    def rows(self) -> Iterator[Rows]:
        with self.engine.connect() as connection:
            yield Rows(connection, self.writer)
            connection.rollback()


@dataclass(frozen=True)
class Sent:
    """An event: its place among all by the sender's time, whose it is, and what it says."""

    place: int
    family: str
    village: str
    size: int | None

    def event(self) -> Event:
        more: dict[str, Any] = {} if self.size is None else {"size": self.size}
        return event(f"e{self.place}", family(self.family, self.village, **more), self.place)

    def said(self) -> dict[str, Any]:
        return {name: value for name in FIELDS if (value := getattr(self, name)) is not None}


@dataclass(frozen=True)
class Edit:
    """What staff does to a family, if it is there."""

    family: str
    name: str
    value: Any


@dataclass
class Model:
    """The rules, said once more and as plainly as can be: one event at a time, one field at a time."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    wrote: dict[tuple[str, str], Any] = field(default_factory=dict)
    when: dict[tuple[str, str], int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    conflicts: list[tuple[str, Any, Any, str]] = field(default_factory=list)

    def edit(self, edit: Edit) -> None:
        if edit.family in self.rows:
            self.rows[edit.family][edit.name] = edit.value

    def take(self, sent: Sent) -> None:
        if sent.place in self.seen:
            return
        if sent.family not in self.rows:
            self.rows[sent.family] = {"village": None, "size": None} | sent.said()
            new = True
        else:
            new = False
        for name, value in sent.said().items():
            if new or sent.place > self.when.get((sent.family, name), -1):
                if not new:
                    self.field(sent.family, name, value)
                self.wrote[sent.family, name], self.when[sent.family, name] = value, sent.place
        self.seen.add(sent.place)

    def field(self, of: str, name: str, value: Any) -> None:
        row, here = self.rows[of], self.rows[of][name]
        unknown, wrote = (of, name) not in self.wrote, self.wrote.get((of, name))
        if here == value or (not unknown and value == wrote and here != wrote):
            return
        if (unknown and here is None) or (not unknown and here == wrote):
            row[name] = value
            return
        kept = "local" if name == "village" else "sent"
        self.conflicts.append((name, value, here, kept))
        if kept == "sent":
            row[name] = value


sent = st.builds(Sent, st.integers(0, 9), st.sampled_from(FAMILIES), st.sampled_from(VILLAGES), st.sampled_from(SIZES))
edits = st.one_of(
    st.builds(Edit, st.sampled_from(FAMILIES), st.just("village"), st.sampled_from(VILLAGES)),
    st.builds(Edit, st.sampled_from(FAMILIES), st.just("size"), st.sampled_from(SIZES)),
)


@st.composite
def stories(draw: st.DrawFn) -> list[list[Sent] | Edit]:
    """Messages of some of a few events, repeated and out of order, and edits between them."""
    events = draw(st.lists(sent, min_size=1, max_size=8, unique_by=lambda each: each.place))
    message = st.lists(st.sampled_from(events), min_size=1, max_size=5)
    return draw(st.lists(st.one_of(message, message, edits), min_size=1, max_size=10))


@settings(max_examples=40, deadline=None)
@given(story=stories())
def test_the_rows_are_those_of_the_rules(database: Database, story: list[list[Sent] | Edit]) -> None:
    model, told = Model(), []
    with database.rows() as registry:
        for step in story:
            if isinstance(step, Edit):
                model.edit(step)
                registry.edit(step)
                continue
            known = set(model.seen)
            results = registry.receive(*(each.event() for each in step))
            assert {each.status for each in results} == {Status.SUCCEEDED}
            for one, result in zip(step, results, strict=True):
                model.take(one)
                if one.place not in known:
                    known.add(one.place)
                    told += [(BY_PATH[c["field"]], c["sent"], c["local"], c["kept"]) for c in result.conflicts]
            assert registry.rows() == model.rows
    assert told == model.conflicts


@settings(max_examples=25, deadline=None)
@given(data=st.data(), events=st.lists(sent, min_size=1, max_size=8, unique_by=lambda each: each.place))
def test_without_staff_every_order_ends_with_the_newest_value_of_each_field(
    database: Database, data: st.DataObject, events: list[Sent]
) -> None:
    order = data.draw(st.permutations([*events, *events]))
    newest: dict[str, dict[str, Any]] = {}
    for each in sorted(events, key=lambda one: one.place):
        newest.setdefault(each.family, {"village": None, "size": None}).update(each.said())
    with database.rows() as registry:
        for each in order:
            registry.receive(each.event())
        assert registry.rows() == newest
