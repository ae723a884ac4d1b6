"""Reads the access record for a citizen's question: who looked at my data, when, why, at what.

It refuses to write and to list persons: it answers only for identifiers that are given to it.
``spean access-report`` calls it once per adapter, while the adapter may be running.
"""

import json
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from adapters.accesslog.entries import Found, Outcome
from adapters.accesslog.keys import AccessKey
from adapters.accesslog.store import VERSION
from adapters.errors import AccessLogError
from adapters.subjects import PersonId

# The columns and, per version of the file, where the user is: a record that no newer adapter has opened has none.
_COLUMNS: Final = (
    "at, service, operation, client, via, xroad_id, purpose, basis, asked_by, outcome, reason, given, records"
)
_USER: Final = MappingProxyType({1: "NULL", 2: "user", VERSION: "user"})
_SELECT: Final = f"SELECT {_COLUMNS}, %s FROM access WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"  # noqa: S608  # our own names
_Cell = str | bytes | int | None


def find_accesses(path: Path, key: AccessKey, persons: Iterable[PersonId]) -> tuple[Found, ...]:
    """Return all entries about anyone of ``persons``, oldest first.

    Raises:
        AccessLogError: there is no such file, or it is no access record.
    """
    hashes = sorted({key.person(each) for each in persons})
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            [version] = database.execute("PRAGMA user_version").fetchone()
            if version not in _USER:
                raise AccessLogError(f"the access record {path} is of version {version}, this program reads {VERSION}")
            numbers = [*_among_few(database, hashes), *(_in_crowds(database, hashes) if version >= VERSION else ())]
            rows = database.execute(_SELECT % _USER[version], (json.dumps(numbers),))
            return tuple(_found(row, key) for row in rows)
    except (sqlite3.Error, OSError) as error:
        raise AccessLogError(f"the access record {path} cannot be read: {error}") from error


def _among_few(database: sqlite3.Connection, hashes: Sequence[bytes]) -> Iterator[int]:
    marks = ", ".join("?" * len(hashes))
    for (number,) in database.execute(f"SELECT access_id FROM subject WHERE hash IN ({marks})", hashes):  # noqa: S608  # marks
        yield number


def _in_crowds(database: sqlite3.Connection, hashes: Sequence[bytes]) -> Iterator[int]:
    """Look through the large answers one by one: a third of a megabyte for each ten thousand persons."""
    for number, crowd in database.execute("SELECT access_id, hashes FROM crowd"):
        if any(_holds(crowd, each) for each in hashes):
            yield number


def _holds(crowd: bytes, wanted: bytes) -> bool:
    size = len(wanted)
    place = bisect_left(range(len(crowd) // size), wanted, key=lambda each: crowd[each * size : (each + 1) * size])
    return crowd[place * size : (place + 1) * size] == wanted


def _found(row: tuple[_Cell, ...], key: AccessKey) -> Found:
    at, service, operation, client, via, xroad_id, purpose, basis, asked_by, outcome, reason, given, records, user = row
    return Found(
        at=datetime.fromisoformat(str(at)),
        service=str(service),
        operation=str(operation),
        client=str(client),
        via=str(via),
        xroad_id=str(xroad_id),
        user=(key.unseal(user) or b"").decode() if isinstance(user, bytes) else "",
        purpose=None if purpose is None else str(purpose),
        basis=None if basis is None else str(basis),
        asked_by=tuple(json.loads(str(asked_by))),
        outcome=Outcome(str(outcome)),
        reason=None if reason is None else str(reason),
        given=tuple(json.loads(str(given))),
        records=int(records or 0),
    )
