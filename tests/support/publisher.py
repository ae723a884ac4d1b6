"""The little registry as a whole adapter in a folder, which publishes and takes records in, for commands and HTTP."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from adapters.composition import open_events_store
from adapters.config import load_config
from adapters.events import Event, EventsStore
from tests.support.publishing import TABLES, sent_to, subscribe, write_files
from tests.support.subscribing import IGNORED, INTAKE

SENDER = "KH/GOV/NSSF/MEMBERS"
WRITE = """
write: people
version: 1.0.0
record_type: Registration
mapping: people.intake.yaml
from:
  - {client: KH/GOV/NSSF/MEMBERS}
record:
  table: person
  key: num
  fields: {num: num, spid: spid, name: name, sex: sex}
find:
  - {field: spid}
missing: ask
gone: {events: [REMOVE], do: ask}
new:
  num: {next: {}}
wins: {default: local}
"""


@dataclass(frozen=True, slots=True)
class Publisher:
    """The adapter's file, and its registry."""

    file: Path

    @property
    def database(self) -> Path:
        return self.file.with_name("registry.sqlite")

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Do something in the registry, as the institution's own programs do."""
        with closing(sqlite3.connect(self.database)) as connection:
            found = connection.execute(statement, values).fetchall()
            connection.commit()
            return found

    def people(self, *numbers: int) -> None:
        """Register many at once."""
        with closing(sqlite3.connect(self.database)) as connection:
            rows = [(num, f"S-{num}", "ដារ៉ា", "M", "02040105", 0) for num in numbers]
            connection.executemany("INSERT INTO person VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.commit()

    def change(self, **publish: Any) -> None:
        """Let the adapter's file say something else of publishing."""
        data = yaml.safe_load(self.file.read_text())
        data["services"][0]["publish"] |= publish
        self.file.write_text(yaml.safe_dump(data))

    @contextmanager
    def store(self) -> Iterator[EventsStore]:
        """Open the tables of events."""
        config = load_config(self.file)
        assert config.events is not None
        store = open_events_store(config.events)
        try:
            yield store
        finally:
            store.database.close()

    def subscribe(self, *event_types: str) -> list[str]:
        """Let the operator subscribe; returns codes."""
        with self.store() as store:
            return [subscribe(store, each, at=datetime.now(UTC)) for each in event_types]

    def sent(self) -> list[Event]:
        """Return what waits for the operator."""
        with self.store() as store:
            return sent_to(store)


def make_publisher(folder: Path, publish: Mapping[str, Any] | None = None) -> Publisher:
    """Write the files, and the empty registry."""
    folder.mkdir(exist_ok=True)
    write_files(folder)
    (folder / "people.intake.yaml").write_text(INTAKE % ", ".join(IGNORED))
    (folder / "people.write.yaml").write_text(WRITE)
    (folder / "events.key").touch(0o600)
    service = {
        "code": "people", "source": "source.yaml", "mapping": "mapping.yaml", "release": "release.yaml",
        "record": {"reg_type": "Social", "type": "Registration"}, "write": "people.write.yaml",
        "publish": {"capture": {"kind": "writes"}, **(publish or {})},
    }  # fmt: skip
    data = {
        "adapter": "people", "listen": "127.0.0.1:0", "sender_id": "KH/GOV/SPR/REGISTRY",
        "access_log": "access.sqlite", "access_key_file": "access.key",
        "source": {"kind": "sql", "url": "sqlite:///registry.sqlite"},
        "events": {"database": "source", "key_file": "events.key", "security_server": {"url": "http://127.0.0.1:1"}},
        "services": [service],
    }  # fmt: skip
    (folder / "events.key").write_bytes(bytes(range(32)))
    file = folder / "adapter.yaml"
    file.write_text(yaml.safe_dump(json.loads(json.dumps(data))))
    found = Publisher(file)
    for each in TABLES:
        found.run(each)
    return found
