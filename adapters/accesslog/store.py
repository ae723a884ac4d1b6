"""Writes the access record and the transactions of one adapter, durably, into one SQLite file.

It refuses to return before what it was given is on disk. It has a thread of its own with the one connection that
writes; the registry API awaits it before an answer leaves.
"""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from adapters.accesslog.entries import AccessEntry, ItemStatus, Transaction
from adapters.accesslog.keys import AccessKey
from adapters.errors import AccessLogError
from serverkit import manyrows

VERSION: Final = 3
_NOW: Final = f"""CREATE TABLE crowd (
    access_id INTEGER PRIMARY KEY REFERENCES access (id) ON DELETE CASCADE, hashes BLOB NOT NULL);
PRAGMA user_version = {VERSION};"""  # what version 3 brought
_SCHEMA: Final = f"""
CREATE TABLE access (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, service TEXT NOT NULL, operation TEXT NOT NULL, client TEXT NOT NULL,
    via TEXT NOT NULL, xroad_id TEXT NOT NULL, purpose TEXT, basis TEXT, asked_by TEXT NOT NULL, outcome TEXT NOT NULL,
    reason TEXT, given TEXT NOT NULL, records INTEGER NOT NULL, user BLOB);
CREATE INDEX access_at ON access (at);
CREATE TABLE subject (
    hash BLOB NOT NULL, access_id INTEGER NOT NULL REFERENCES access (id) ON DELETE CASCADE,
    PRIMARY KEY (hash, access_id)) WITHOUT ROWID;
CREATE INDEX subject_access ON subject (access_id);
CREATE TABLE message (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, message BLOB NOT NULL UNIQUE, txn BLOB NOT NULL,
    correlation BLOB NOT NULL, sealed BLOB NOT NULL);
CREATE INDEX message_at ON message (at);
CREATE INDEX message_txn ON message (txn);
CREATE INDEX message_correlation ON message (correlation);
CREATE TABLE reference (
    hash BLOB NOT NULL, message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    PRIMARY KEY (hash, message_id)) WITHOUT ROWID;
CREATE INDEX reference_message ON reference (message_id);
{_NOW}
"""
_UPGRADES: Final = {1: f"ALTER TABLE access ADD COLUMN user BLOB; {_NOW}", 2: _NOW}
_INSERT: Final = """INSERT INTO access (at, service, operation, client, via, xroad_id, purpose, basis, asked_by,
    outcome, reason, given, records, user) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_SUBJECT: Final = "INSERT INTO subject VALUES (?, ?)"
# So many identifiers in one answer, or more, as in a chunk of a first load, are one value of sorted hashes. Hashes have
# no neighbours; as rows, each would cost a page of an index that is read, written and written again.
CROWD: Final = 200
_SWEEP_EVERY: Final = timedelta(hours=6)
_FOUND_AT_MOST: Final = 20  # messages of one transaction that an answer about it can tell of
_T = TypeVar("_T")


class AccessStore:
    """The access record of one adapter; open it with :meth:`open`."""

    def __init__(self, path: Path, key: AccessKey, *, access_days: int, transaction_days: int) -> None:
        self._path = path
        self._key = key
        self._keep = timedelta(days=access_days), timedelta(days=transaction_days)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="accesslog")
        self._database: sqlite3.Connection | None = None
        self._swept = datetime.min.replace(tzinfo=UTC)

    @property
    def remembered(self) -> timedelta:
        """How long it knows which messages were answered."""
        return self._keep[1]

    async def open(self) -> None:
        """Open or make the file; raises :class:`AccessLogError`."""
        await self._run(self._open)

    async def close(self) -> None:
        """Finish what is being written and close the file."""
        await self._run(self._close)
        self._thread.shutdown(wait=False)

    async def append(self, entries: Sequence[AccessEntry], transaction: Transaction | None) -> None:
        """Write entries and a transaction together; on disk on return. Raises :class:`AccessLogError`."""
        await self._run(lambda: self._append(entries, transaction))

    async def knows_message(self, service: str, client: str, message_id: str) -> bool:
        """Tell whether this client's message was answered before."""
        wanted = self._key.word("message", service, client, message_id)
        return await self._run(lambda: self._one("SELECT 1 FROM message WHERE message = ?", wanted) is not None)

    async def has_exchange(self, xroad_id: str, *, since: datetime) -> bool:
        """Tell whether entries of an exchange were written since a time: they are written all together or not."""
        statement = "SELECT 1 FROM access WHERE at >= ? AND xroad_id = ? LIMIT 1"
        return await self._run(lambda: self._one(statement, _stamp(since), xroad_id) is not None)

    async def transactions(self, service: str, client: str, kind: str, values: Sequence[str]) -> list[Transaction]:
        """Find a client's own messages.

        Args:
            service: the service that was asked.
            client: who asked then and asks now.
            kind: ``transaction_id``, ``correlation_id`` or ``reference_id_list``.
            values: what to look for.
        """
        return await self._run(lambda: self._transactions(service, client, kind, values))

    async def _run(self, work: Callable[[], _T]) -> _T:
        """Translate without the database's words where they may repeat values; SQLite's never do."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            raise AccessLogError(f"the access record {self._path.name} cannot be used: {error}") from error

    def _open(self) -> None:
        with self._path.open("ab") as file:
            os.fchmod(file.fileno(), 0o600)  # before SQLite opens it: what it writes beside it takes over these rights
        database = sqlite3.connect(self._path, isolation_level=None, timeout=10)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA temp_store = MEMORY")  # what a statement may have to bring back needs no file
        [version] = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            database.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        elif version in _UPGRADES:
            database.executescript(f"BEGIN; {_UPGRADES[version]} COMMIT;")
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}, this program writes {VERSION}")
        self._database = database

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    @property
    def _open_database(self) -> sqlite3.Connection:
        if self._database is None:
            raise sqlite3.ProgrammingError("it is not open")
        return self._database

    def _append(self, entries: Sequence[AccessEntry], transaction: Transaction | None) -> None:
        database = self._open_database
        database.execute("BEGIN IMMEDIATE")
        try:
            for entry in entries:
                self._write_entry(database, entry)
            if transaction is not None:
                self._write_transaction(database, transaction)
            self._sweep(database)
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")

    def _write_entry(self, database: sqlite3.Connection, entry: AccessEntry) -> None:
        row = (
            _stamp(entry.at), entry.service, entry.operation, entry.client, entry.via, entry.xroad_id,
            entry.purpose, entry.basis, json.dumps(entry.asked_by), entry.outcome, entry.reason,
            json.dumps(entry.given), entry.records, self._key.seal(entry.user.encode()) if entry.user else None,
        )  # fmt: skip
        number = database.execute(_INSERT, row).lastrowid
        hashes = sorted({self._key.person(each) for each in entry.subjects})
        if len(hashes) >= CROWD:
            database.execute("INSERT INTO crowd VALUES (?, ?)", (number, b"".join(hashes)))
            return
        for statement, values in manyrows.statements(_SUBJECT, [(each, number) for each in hashes]):
            database.execute(statement, values)

    def _write_transaction(self, database: sqlite3.Connection, told: Transaction) -> None:
        word, who = self._key.word, (told.service, told.client)
        row = (
            _stamp(told.at),
            word("message", *who, told.message_id),
            word("transaction_id", *who, told.transaction_id),
            word("correlation_id", *who, told.correlation_id),
            self._key.seal(_packed(told)),
        )
        statement = "INSERT INTO message (at, message, txn, correlation, sealed) VALUES (?, ?, ?, ?, ?)"
        number = database.execute(statement, row).lastrowid
        hashes = {word("reference_id_list", *who, each.reference_id) for each in told.items}
        database.executemany("INSERT INTO reference VALUES (?, ?)", [(each, number) for each in hashes])

    def _transactions(self, service: str, client: str, kind: str, values: Sequence[str]) -> list[Transaction]:
        where = {
            "transaction_id": "txn = ?",
            "correlation_id": "correlation = ?",
            "reference_id_list": "id IN (SELECT message_id FROM reference WHERE hash = ?)",
        }[kind]
        statement = f"SELECT id, sealed FROM message WHERE {where} ORDER BY id DESC LIMIT {_FOUND_AT_MOST}"  # noqa: S608  # from the table above
        found: dict[int, bytes] = {}
        for value in values:
            found.update(self._open_database.execute(statement, (self._key.word(kind, service, client, value),)))
        opened = [self._key.unseal(found[number]) for number in sorted(found)]
        return [_unpacked(each) for each in opened if each is not None]

    def _one(self, statement: str, *values: bytes | str) -> Any:  # noqa: ANN401  # a row
        return self._open_database.execute(statement, values).fetchone()

    def _sweep(self, database: sqlite3.Connection) -> None:
        """Forget what is older than declared, now and then."""
        now = datetime.now(UTC)
        if now - self._swept < _SWEEP_EVERY:
            return
        access, transactions = self._keep
        database.execute("DELETE FROM access WHERE at < ?", (_stamp(now - access),))
        database.execute("DELETE FROM message WHERE at < ?", (_stamp(now - transactions),))
        self._swept = now


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _packed(told: Transaction) -> bytes:
    items = [[each.reference_id, each.timestamp, each.status, each.reason, each.records] for each in told.items]
    head = [_stamp(told.at), told.service, told.client, told.message_id, told.transaction_id, told.correlation_id]
    return json.dumps([*head, items], separators=(",", ":")).encode()


def _unpacked(data: bytes) -> Transaction:
    at, service, client, message_id, transaction_id, correlation_id, items = json.loads(data)
    return Transaction(
        at=datetime.fromisoformat(at),
        service=service,
        client=client,
        message_id=message_id,
        transaction_id=transaction_id,
        correlation_id=correlation_id,
        items=tuple(ItemStatus(*each) for each in items),
    )
