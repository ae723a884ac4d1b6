"""A subscriber finds what differs from the publisher, repairs it through its writer, and shows what it did."""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, column, delete, insert, select, table, text

from adapters.accesslog import AccessStore, load_key
from adapters.capture import digests, reconciling
from adapters.capture.digests import Digests
from adapters.capture.following import Following
from adapters.capture.reconciling import Reconciliation, Report
from adapters.errors import CaptureStopped, RequestRefused
from adapters.events.tables import CONFLICT, INBOX, SYNCED
from adapters.registry.callers import Caller
from adapters.secretkeys import make_key
from tests.support.publishing import AT, CLIENT, OTHER, Little, little
from tests.support.subscribing import SENDER, Client, client

PEOPLE = range(12)


class Both:
    """The publisher and one subscriber, with the comparison between them."""

    def __init__(self, registry: Little, programme: Client, access: AccessStore) -> None:
        self.registry, self.programme = registry, programme
        self.digests, self.access = Digests(registry.publisher, registry.store, access), access
        self.parts: list[str] = []

    async def ask(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask as over the bus."""
        self.parts.append(document["part"])
        return await self.digests.answer(document, Caller(CLIENT, "bus"), "id-1")

    def deliver(self) -> None:
        """Let the subscriber take what waits in the outbox."""
        events, sent = self.registry.sent(), self.programme
        sent.store.write_now(lambda connection: sent.writer.receive(connection, SENDER, events, datetime.now(UTC)))

    def reconcile(self, **how: bool) -> Report:
        """Reconcile once."""
        self.parts.clear()

        part = Reconciliation(self.programme.subscription, self.programme.writer, self.programme.store, self.ask)
        return asyncio.run(part.run(dry_run=how.get("dry_run", False), accept_gone=how.get("accept_gone", False)))

    def told(self, **how: bool) -> dict[tuple[str, str], int]:
        """Reconcile, and count what was found by what became of it."""
        report = self.reconcile(**how)
        return {(each.what, each.outcome): report.count(each.what, each.outcome) for each in report.lines}

    def check_repaired(self, before: object) -> None:
        """Reconcile a copy that has two old records, lacks one and has one too many; then nothing differs any more."""
        assert self.told() == {
            ("older here", "repaired"): 2,
            ("missing here", "repaired"): 1,
            ("unknown there", "repaired"): 1,
        }
        assert self.programme.people() == before
        assert self.told() == {}


@pytest.fixture
def both(registry: Little, tmp_path: Path) -> Iterator[Both]:
    for each in ("REGISTER", "UPDATE", "REMOVE"):
        registry.subscribe(each)
    make_key(tmp_path / "access.key")
    key = load_key(tmp_path / "access.key", config="adapter.yaml")
    access = AccessStore(tmp_path / "access.sqlite", key, access_days=9, transaction_days=9)
    asyncio.run(access.open())
    registry.people(*PEOPLE)
    registry.look(*PEOPLE)
    with client(tmp_path / "client", f"sqlite:///{tmp_path / 'client' / 'client.sqlite'}") as programme:
        found = Both(registry, programme, access)
        found.deliver()
        yield found
    asyncio.run(access.close())


def copy(source: Path, target: Path) -> None:
    """Copy a database, or put the copy back."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def test_what_is_equal_costs_one_question(both: Both) -> None:
    report = both.reconcile()
    assert (report.lines, report.compared, both.parts) == ([], len(PEOPLE), ["ranges"])


def test_a_subscriber_restored_from_an_old_backup_is_repaired(both: Both, tmp_path: Path) -> None:
    file = tmp_path / "client" / "client.sqlite"
    copy(file, tmp_path / "backup.sqlite")
    both.registry.run("UPDATE person SET sex = 'F' WHERE num IN (1, 2)", "DELETE FROM person WHERE num = 3")
    both.registry.person(40)
    both.registry.look(1, 2, 3, 40, at=AT + timedelta(hours=1))
    both.deliver()
    now = both.programme.people()
    assert both.told() == {}
    copy(tmp_path / "backup.sqlite", file)
    assert both.told(dry_run=True) == {
        ("missing or older here", "differs"): 3,
        ("older here or unknown there", "differs"): 3,
    }
    assert both.programme.people() != now
    both.check_repaired(now)


def test_what_staff_changed_is_in_conflict_and_what_cannot_be_taken_is_rejected(both: Both) -> None:
    programme = both.programme
    programme.store.write_now(
        lambda connection: connection.execute(text("UPDATE client SET sex = 'F' WHERE spid = 'S-1'"))
    )
    both.registry.run("UPDATE person SET sex = 'F', name = 'សុខា' WHERE num = 1")
    both.registry.run("UPDATE person SET name = 'ចាន់' WHERE num = 2")
    both.registry.person(50)
    both.registry.look(1, 2, 50, at=AT + timedelta(hours=1))
    programme.store.write_now(
        lambda connection: connection.execute(text("UPDATE client SET name = 'សួន' WHERE spid = 'S-2'"))
    )
    found = both.reconcile()
    assert {(each.what, each.outcome) for each in found.lines} == {
        ("older here", "repaired"), ("older here", "in conflict"), ("missing here", "repaired"),
    }  # fmt: skip
    assert found.is_whole
    assert programme.people()["S-1"] == ("សុខា", "F")


def test_a_large_part_is_not_ended_before_staff_say_so(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "ENDED_FEW", 2)
    both.registry.run("DELETE FROM person WHERE num < 6")
    both.registry.look(*PEOPLE)
    with pytest.raises(CaptureStopped, match="--accept-gone"):
        both.reconcile()
    assert len(both.programme.people()) == len(PEOPLE)
    assert both.told(accept_gone=True) == {("unknown there", "repaired"): 6}
    assert len(both.programme.people()) == len(PEOPLE) - 6


def test_a_registry_is_compared_page_by_page(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "SCAN", 5)
    both.registry.run("UPDATE person SET sex = 'F' WHERE num IN (1, 7)")
    both.registry.look(1, 7, at=AT + timedelta(hours=1))
    assert both.told() == {("older here", "repaired"): 2}
    assert both.parts == ["ranges"] * 3 + ["entries"] * 3 + ["records"]


@pytest.mark.parametrize(
    ("client_id", "document", "code"),
    [
        (OTHER, {"part": "ranges", "purpose": "ENROLMENT", "version": "1.0.0"}, "err.request.forbidden"),
        (CLIENT, {"part": "ranges", "purpose": "PAYMENT", "version": "1.0.0"}, "err.request.forbidden"),
        (CLIENT, {"part": "ranges", "purpose": "ENROLMENT", "version": "1.0.0", "after": "x"}, "err.request.bad"),
        (CLIENT, {"part": "entries", "purpose": "ENROLMENT", "version": "1.0.0", "buckets": [256]}, "err.request.bad"),
        (CLIENT, {"part": "records", "purpose": "ENROLMENT", "version": "1.0.0", "ids": ["zz"]}, "err.request.bad"),
        (CLIENT, {"part": "all"}, "err.request.bad"),
    ],
)
def test_only_subscribers_compare_and_only_what_is_theirs(
    both: Both, client_id: str, document: dict[str, Any], code: str
) -> None:
    with pytest.raises(RequestRefused) as refused:
        asyncio.run(both.digests.answer(document, Caller(client_id, "bus"), "id-1"))
    assert refused.value.code == code


def test_records_that_are_given_stand_in_the_access_record(both: Both) -> None:
    both.registry.run("UPDATE person SET sex = 'F' WHERE num = 1")
    both.registry.look(1, at=AT + timedelta(hours=1))
    both.reconcile()
    assert asyncio.run(both.access.has_exchange("id-1", since=AT - timedelta(days=1)))


def test_the_first_comparison_need_not_be_the_publishers_own(both: Both) -> None:
    """What the registry knows by its captures is compared, whoever noticed it."""
    following = Following(both.registry.publisher, both.registry.store, both.registry.source, now=lambda: AT)
    asyncio.run(following.once())
    assert both.told() == {}


@contextmanager
def on_postgresql(folder: Path, url: str) -> Iterator[tuple[Little, Both]]:
    """Make a publisher in a file, and a subscriber on PostgreSQL that has taken everything."""
    publish = {"capture": {"kind": "writes"}}
    with little(folder, f"sqlite:///{folder / 'registry.sqlite'}", publish) as registry:
        for each in ("REGISTER", "UPDATE", "REMOVE"):
            registry.subscribe(each)
        make_key(folder / "access.key")
        access = AccessStore(
            folder / "access.sqlite", load_key(folder / "access.key", config="a"), access_days=9, transaction_days=9
        )
        asyncio.run(access.open())
        registry.people(*PEOPLE)
        registry.look(*PEOPLE)
        with client(folder / "client", url) as programme:
            found = Both(registry, programme, access)
            found.deliver()
            yield registry, found
        asyncio.run(access.close())


def test_a_subscriber_on_postgresql_is_repaired(tmp_path: Path, postgresql_url: str) -> None:
    """Its tables, those of the events too, are put back to what they were."""
    tables = (SYNCED, INBOX, CONFLICT, table("client", *map(column, ("number", "spid", "name", "sex"))))
    with on_postgresql(tmp_path, postgresql_url) as (registry, both):
        store = both.programme.store
        before = store.read_now(lambda one: [one.execute(select(each)).mappings().all() for each in tables])
        registry.run("UPDATE person SET sex = 'F' WHERE num IN (1, 2)", "DELETE FROM person WHERE num = 3")
        registry.person(40)
        registry.look(1, 2, 3, 40, at=AT + timedelta(hours=1))
        both.deliver()
        now = both.programme.people()
        assert both.told() == {}

        def put_back(connection: Connection) -> None:
            for each, rows in zip(tables, before, strict=True):
                connection.execute(delete(each))
                if rows:
                    connection.execute(insert(each), [dict(row) for row in rows])

        store.write_now(put_back)
        both.check_repaired(now)
