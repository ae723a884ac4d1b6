import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from securityserver.migrations import open_node_database
from securityserver.serverconf import ServerConfStore, apply, export, read, rows
from serverkit.database import Database
from tests.support.serverconf import HOUSEHOLD, IDPOOR, SERVICES, declared, der, pem


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_node_database(f"sqlite:///{tmp_path / 'node.db'}")
    yield opened
    opened.close()


def test_apply_tells_what_it_did_and_is_idempotent(database: Database) -> None:
    changes = apply(database, declared())
    assert changes.lines()[0] == "+ client KH-SANDBOX/GOV/MOP/IDPOOR"
    assert "+ service KH-SANDBOX/GOV/MOP/IDPOOR/household" in changes.lines()
    told = "access of local group friends to KH-SANDBOX/GOV/MOP/IDPOOR/household: GET /v1/*/cards"
    assert told in changes.added
    assert read(database) == (declared(), 2)
    assert not apply(database, declared())
    assert read(database) == (declared(), 2)


def test_apply_changes_and_removes(database: Database) -> None:
    apply(database, declared())
    text = SERVICES.replace("timeout = 10", "timeout = 20").replace("GET", "POST").replace("NSSF/MEMBERS", "NSSF/X")
    changes = apply(database, declared(text))
    assert "service KH-SANDBOX/GOV/MOP/IDPOOR/household: timeout" in changes.changed
    assert "local group KH-SANDBOX/GOV/MOP/IDPOOR friends: members" in changes.changed
    assert len(changes.added) == len(changes.removed) == 1
    assert read(database)[0] == declared(text)
    removed = apply(database, declared(""))
    assert len(removed.removed) == 7
    with database.reading() as connection:
        for table in (
            "conf_client",
            "conf_service",
            "conf_access_right",
            "conf_local_group",
            "conf_local_group_member",
        ):
            assert connection.execute(sa.text(f"SELECT COUNT(*) FROM {table}")).scalar_one() == 0  # noqa: S608


def test_apply_is_all_or_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(database, declared())

    def fail(*_: object) -> None:
        raise KeyError

    monkeypatch.setattr(rows, "raise_version", fail)
    with pytest.raises(KeyError):
        apply(database, declared(""))
    assert read(database) == (declared(), 2)


def test_export_is_what_apply_accepts(database: Database) -> None:
    text = f'{SERVICES}tls_certificate = """{pem()}"""\n'
    text = text.replace('IDPOOR"\n', f'IDPOOR"\nconnection = "https"\ntls_certificates = ["""{pem("b")}"""]\n', 1)
    apply(database, declared(text))
    exported = export(database)
    assert declared(exported) == declared(text)
    assert not apply(database, declared(exported))
    assert declared(exported).clients[0].tls_certificates == {der("b")}


async def test_store_notices_another_process_within_a_second(database: Database, tmp_path: Path) -> None:
    store = ServerConfStore.load(database)
    first = store.current
    assert store.current.client(IDPOOR) is None
    other = open_node_database(f"sqlite:///{tmp_path / 'node.db'}")
    following = asyncio.ensure_future(store.follow())  # noqa: TID251
    await asyncio.sleep(0.1)
    await asyncio.to_thread(apply, other, declared())
    began = time.monotonic()
    while store.current is first:  # noqa: ASYNC110 - another process makes it true
        await asyncio.sleep(0.01)
    assert time.monotonic() - began < 1
    assert store.current.service(HOUSEHOLD) is not None
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    other.close()


async def test_refresh_keeps_the_snapshot_when_nothing_changed(database: Database) -> None:
    store = ServerConfStore.load(database)
    first = store.current
    assert not await store.refresh()
    assert store.current is first
    apply(database, declared())
    assert await store.refresh()


async def test_an_unreadable_database_leaves_the_last_snapshot(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(database, declared())
    store = ServerConfStore.load(database)
    calls = 0

    def fail(*_: object) -> int:
        nonlocal calls
        calls += 1
        raise sa.exc.OperationalError("SELECT", {}, Exception("disk"))

    monkeypatch.setattr(rows, "read_version", fail)
    monkeypatch.setattr("securityserver.serverconf.store.POLL_SECONDS", 0.01)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(store.follow(), 0.2)
    assert calls > 2
    assert store.current.service(HOUSEHOLD) is not None
