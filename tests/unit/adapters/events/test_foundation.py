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
from sqlalchemy import insert, make_url, select, text

from adapters.errors import ConfigError, EventsError
from adapters.events import EventsKey, ServiceAddress, keys, load_events_key, open_events
from adapters.events.inboxrows import event_word
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


def test_what_was_known_before_there_were_places_gets_them_in_its_order(any_database: str) -> None:
    address = make_url(any_database)
    database = open_guest(address, EVENTS)
    rows = [{"service": "s", "person": bytes([each]) * 32, "digest": b"d", "sealed": b""} for each in (9, 3, 5)]
    with database.transaction() as connection:
        connection.execute(text("DROP INDEX spean_known_place"))
        connection.execute(text("ALTER TABLE spean_known DROP COLUMN place"))
        connection.execute(text("UPDATE spean_version SET version_num = 'v0002'"))
        connection.execute(text("INSERT INTO spean_known VALUES (:service, :person, :digest, :sealed, 0)"), rows)
    database.close()
    database = open_guest(address, EVENTS)
    with database.reading() as connection:
        found = connection.execute(text("SELECT person FROM spean_known ORDER BY place")).scalars().all()
        assert [bytes(each)[0] for each in found] == [9, 3, 5]
        assert connection.execute(text("SELECT count(DISTINCT place), min(place) FROM spean_known")).one() == (3, 1)
    database.close()


def test_the_pages_that_a_savepoint_may_bring_back_stay_in_memory(tmp_path: Path) -> None:
    database = open_guest(make_url(url(tmp_path / "events.sqlite")), EVENTS)
    with database.transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA temp_store").scalar_one() == 2  # memory
    database.close()


def test_events_whose_names_begin_alike_are_neighbours_and_no_other_senders_are() -> None:
    def words(sender: str, *names: str) -> list[bytes]:
        return [event_word(KEY, sender, "people", each) for each in names]

    one, two, three = words("A", "0123456789abcdef-1", "0123456789abcdef-2", "0123456789abcdeX-1")
    assert one[:4] == two[:4] != three[:4]
    assert len({one, two, three}) == 3
    assert {len(each) for each in (one, two, three)} == {32}
    assert words("B", "0123456789abcdef-1")[0][:4] != one[:4]
    assert words("A", "0123456789abcdef")[0] != words("A", "0123456789abcde")[0]


def test_the_owner_of_a_slow_database_is_told_what_would_help(tmp_path: Path, postgresql_url: str) -> None:
    with closing(sqlite3.connect(tmp_path / "programme.sqlite")) as host:
        host.execute("CREATE TABLE family (id INTEGER PRIMARY KEY)")
    addresses = (url(tmp_path / "programme.sqlite"), url(tmp_path / "ours.sqlite"), postgresql_url)
    told = []
    for each in addresses:
        store = open_events(each.replace("+psycopg", ""), KEY, config="adapter.yaml")
        told.append(store.advice())
        store.database.close()
    assert told[1:] == [None, None]
    assert told[0] is not None
    assert "programme.sqlite is in SQLite's journal mode “delete”" in told[0]
    assert told[0].endswith("PRAGMA journal_mode=WAL")


def test_a_database_that_cannot_be_asked_is_no_reason_for_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_work: object) -> None:
        raise EventsError("the database of events cannot be used: OperationalError")

    store = open_events(url(tmp_path / "ours.sqlite"), KEY, config="adapter.yaml")
    monkeypatch.setattr(store, "read_now", locked)
    assert store.advice() is None
    store.database.close()


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
