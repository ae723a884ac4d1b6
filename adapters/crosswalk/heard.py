"""When each person of a registry was last heard of in an event: by the owner's clock, and by ours.

It refuses to know what was said. Events use it to leave older ones alone, and whoever reads a whole registry to leave
alone what was heard of since the reading began.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from adapters.crosswalk.rows import Rows, chunks
from adapters.events.canonical import NOTHING
from adapters.events.store import milliseconds
from adapters.events.tables import SYNCED

SERVICE: Final = "spean crosswalk"  # no service's code: those have no spaces
_AT_ONCE: Final = 500  # keys of a statement, which SQLite takes in every version


class Heard:
    """The times of one crosswalk; they stand where a writer's stand, without anything of the person."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def times(self, connection: Connection, registry: str, keys: Collection[str]) -> dict[str, int]:
        """Return the owner's time of the last event about each person, in milliseconds."""
        return {key: row.event_at for key, row in self._found(connection, registry, keys)}

    def since(self, connection: Connection, registry: str, keys: Collection[str], at: datetime) -> frozenset[str]:
        """Return those of whom something was heard here at a time or after it."""
        return frozenset(key for key, row in self._found(connection, registry, keys) if row.at >= milliseconds(at))

    def note(self, connection: Connection, registry: str, times: Mapping[str, int], at: datetime) -> None:
        """Write down that persons were heard of now, and the owner's time of it."""
        words, owner = self._rows.words, self._rows.definition.registries[registry].owner
        same = {"service": SERVICE, "sealed": b"", "digest": NOTHING, "sender": owner, "at": milliseconds(at)}
        rows = [same | {"person": words.record(registry, key), "event_at": time} for key, time in times.items()]
        if not rows:
            return
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(SYNCED)
        new = {name: statement.excluded[name] for name in ("event_at", "at")}
        connection.execute(
            statement.on_conflict_do_update(index_elements=[SYNCED.c.service, SYNCED.c.person], set_=new), rows
        )

    def _found(
        self, connection: Connection, registry: str, keys: Collection[str]
    ) -> Iterator[tuple[str, Any]]:  # fmt: skip
        words = {self._rows.words.record(registry, each): each for each in keys}
        wanted = select(SYNCED.c.person, SYNCED.c.event_at, SYNCED.c.at).where(SYNCED.c.service == SERVICE)
        for part in chunks(words, _AT_ONCE):
            for row in connection.execute(wanted.where(SYNCED.c.person.in_(part))):
                yield words[bytes(row.person)], row
