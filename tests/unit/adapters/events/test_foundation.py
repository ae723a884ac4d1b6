"""What all of events stands on: tables that are guests in a database, sealed rows, names of services."""

import hmac
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, make_url, select

from adapters.errors import ConfigError, EventsError
from adapters.events import EventsKey, ServiceAddress, keys, load_events_key, open_events
from adapters.events.migrations import EVENTS
from adapters.events.naming import BadAddress
from adapters.events.tables import META, POSITION
from adapters.secretkeys import KeyedHash, make_key
from serverkit.database import Database, open_guest
from serverkit.postgresql import lock_migrations
from xroad.identifiers import ClientId

pytestmark = pytest.mark.usefixtures("true_migrations")

KEY = EventsKey(bytes(range(32)))
SERVICE = ServiceAddress(ClientId("KH", "GOV", "SPR", "REGISTRY"), "registration")


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def differences(database: Database) -> object:
    with database.transaction() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": EVENTS.version_table,
                "include_name": lambda name, kind, _parents: kind != "table" or str(name).startswith("spean_"),
            },
        )
        return compare_metadata(context, META)


def test_the_scripts_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    database = open_guest(make_url(url(tmp_path / "events.sqlite")), EVENTS)
    assert differences(database) == []
    database.close()


def test_the_scripts_make_them_on_postgresql(postgresql_url: str) -> None:
    database = open_guest(make_url(postgresql_url), EVENTS)
    assert differences(database) == []
    database.close()


def test_a_guest_leaves_its_host_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "programme.sqlite"
    with sqlite3.connect(file) as host:
        host.execute("CREATE TABLE family (id INTEGER PRIMARY KEY)")
        host.execute("PRAGMA application_id = 77")
    open_guest(make_url(url(file)), EVENTS).close()
    with sqlite3.connect(file) as host:
        assert host.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert host.execute("PRAGMA application_id").fetchone() == (77,)
        assert host.execute("SELECT count(*) FROM family").fetchone() == (0,)


def test_what_is_current_is_opened_beside_one_who_writes(tmp_path: Path) -> None:
    """A whole comparison writes for minutes; a command beside it was told that the database is locked."""
    file = tmp_path / "events.sqlite"
    open_events(url(file), KEY, config="adapter.yaml").database.close()
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        store = open_events(url(file), KEY, config="adapter.yaml")
        assert store.read_now(lambda connection: connection.execute(select(POSITION)).all()) == []
        store.database.close()


def test_what_is_current_is_opened_beside_one_who_migrates_on_postgresql(postgresql_url: str) -> None:
    open_events(postgresql_url, KEY, config="adapter.yaml").database.close()
    other = open_guest(make_url(postgresql_url), EVENTS)
    with other.transaction() as connection:
        lock_migrations(connection)
        open_events(postgresql_url, KEY, config="adapter.yaml").database.close()
    other.close()


def test_a_new_file_is_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "events.sqlite"
    open_guest(make_url(url(file)), EVENTS).close()
    assert file.stat().st_mode & 0o077 == 0


async def test_work_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = open_events(url(tmp_path / "events.sqlite"), KEY, config="adapter.yaml")

    def work(connection: object) -> None:
        connection.execute(insert(POSITION).values(name="a", value=b"1", at=1))  # type: ignore[attr-defined]
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(work)
    assert await store.read(lambda connection: connection.execute(select(POSITION)).all()) == []
    await store.close()


async def test_a_database_that_refuses_says_nothing_of_values(tmp_path: Path) -> None:
    store = open_events(url(tmp_path / "events.sqlite"), KEY, config="adapter.yaml")
    twice = [{"name": "SP-0001", "value": b"1", "at": 1}] * 2
    with pytest.raises(EventsError) as caught:
        await store.write(lambda connection: connection.execute(insert(POSITION), twice))
    assert "SP-0001" not in str(caught.value)
    await store.close()


def test_a_database_that_cannot_be_opened_is_an_error_with_a_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"events\.database"):
        open_events(url(tmp_path / "none" / "events.sqlite"), KEY, config="adapter.yaml")


@given(key=st.binary(min_size=1, max_size=200), parts=st.lists(st.text(max_size=80), min_size=1, max_size=5))
def test_a_keyed_hash_is_hmac_of_the_parts_and_their_lengths(key: bytes, parts: list[str]) -> None:
    text = "\0".join(f"{len(each)}:{each}" for each in parts)
    assert KeyedHash(key)(*parts) == hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256")


@pytest.mark.parametrize("size", [0, 1, 505, 506, 507, 5_000])
def test_what_is_sealed_is_packed_only_where_that_saves(size: int) -> None:
    sealed = KEY.seal(["x" * size, 1.5])
    assert KEY.unseal(sealed) == ["x" * size, 1.5]
    assert len(sealed) < 600


def test_what_was_packed_though_it_is_short_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of an adapter before this one."""
    monkeypatch.setattr(keys, "_SHORT", 0)
    assert KEY.plain(KEY.seal_plain(b"{}")) == b"{}"


def test_what_is_sealed_is_read_with_its_key_alone() -> None:
    sealed = KEY.seal({"name": "សុខ"})
    assert KEY.unseal(sealed) == {"name": "សុខ"}
    assert "សុខ".encode() not in sealed
    for changed in (EventsKey(bytes(32)), KEY):
        with pytest.raises(EventsError):
            changed.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(EventsError):
        EventsKey(bytes(32)).unseal(sealed)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "events.key"
    make_key(file)
    load_events_key(file, config="adapter.yaml")
    os.chmod(file, 0o640)  # noqa: PTH101
    with pytest.raises(ConfigError, match="chmod 600"):
        load_events_key(file, config="adapter.yaml")


def test_a_service_is_named_in_a_uri() -> None:
    assert SERVICE.uri == "xroad:KH/GOV/SPR/REGISTRY/registration"
    assert ServiceAddress.from_uri(SERVICE.uri) == SERVICE
    assert SERVICE.path == "/r1/KH/GOV/SPR/REGISTRY/registration"


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.org/callback",
        "xroad:KH/GOV/SPR/registration",
        "xroad:KH/GOV/SPR/REGISTRY/",
        "xroad:KH/GOV/SPR/REGISTRY/a/b/c",
        "xroad:KH/GOV/SPR/REGISTRY/..",
        "xroad:",
        "KH/GOV/SPR/REGISTRY/registration",
    ],
)
def test_an_address_that_is_no_service_of_the_bus_is_refused(uri: str) -> None:
    with pytest.raises(BadAddress, match="xroad:INSTANCE"):
        ServiceAddress.from_uri(uri)
