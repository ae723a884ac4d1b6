"""What ``publish:`` of a service says: which events there are, how a change is noticed, and how first loads are cut.

It refuses columns for a capture that has none, and a service whose records have no key to know them by again.
:mod:`adapters.services` reads it with the rest of a service.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import contracts
from adapters.errors import ConfigError
from adapters.source import SourceDefinition
from adapters.source.calldefinition import CallDefinition
from adapters.source.definition import SqlDefinition

NEW, CHANGED, GONE = "REGISTER", "UPDATE", "REMOVE"  # cambodia/event-type, of which DCI has the first
EVERY: Final = {"version-column": 5.0, "change-table": 5.0, "snapshot": 3600.0}
OVERLAP: Final = 120  # seconds, or numbers of an integer column: longer than a form's transaction, or a clock's step
CHUNK: Final = 500  # records: half a megabyte, for which one signature costs nothing
BYTES: Final = 1_000_000  # of a chunk: half of what an adapter takes unless it says otherwise
WAITING: Final = 8  # chunks in the outbox: the receiver is never idle, and a database never grows with a load
_KEYS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    "writes": (frozenset(), frozenset()),
    "version-column": (frozenset({"column"}), frozenset({"overlap", "also"})),
    "change-table": (frozenset({"table", "sequence", "key"}), frozenset()),
    "snapshot": (frozenset(), frozenset()),
}
_COMMON: Final = {"writes": ("whole_seconds",), "snapshot": ("every_seconds",)}
_EVENT_LISTS: Final = (
    "cambodia/event-type", "dci/sr-event-type", "dci/ibr-event-type", "dci/dr-event-type", "dci/registry-event-type",
    "dci/vital-event-type",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EventTypes:
    """What is told of a record that is new, changed, or gone."""

    new: str = NEW
    changed: str = CHANGED
    gone: str = GONE


@dataclass(frozen=True, slots=True)
class Watched:
    """A table whose rows have a version, and the column with the key of the record that a row belongs to."""

    table: str
    column: str
    key: str


@dataclass(frozen=True, slots=True)
class ByVersion:
    """Rows whose version grew; those within ``overlap`` below the newest are looked at again."""

    tables: tuple[Watched, ...]
    overlap: int


@dataclass(frozen=True, slots=True)
class ByTable:
    """A table with one row a change, numbered by ``sequence``."""

    table: str
    sequence: str
    key: str


@dataclass(frozen=True, slots=True)
class Capturing:
    """How changes are noticed.

    Args:
        kind: ``writes``, ``version-column``, ``change-table`` or ``snapshot``.
        how: of a version column or a change table; None for the others.
        every: how often is looked; None for ``writes``, which are told.
        whole: how often the whole registry is compared besides, which finds what is gone; None never.
    """

    kind: str
    how: ByVersion | ByTable | None
    every: timedelta | None
    whole: timedelta | None


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """How a first load is cut: records and bytes a message, and messages that may wait."""

    chunk: int = CHUNK
    bytes: int = BYTES
    waiting: int = WAITING


@dataclass(frozen=True, slots=True)
class PublishConfig:
    """The whole of ``publish:``."""

    events: EventTypes
    capturing: Capturing
    load: LoadLimits


def read_publish(file: str, key: str, data: Mapping[str, Any], source: SourceDefinition) -> PublishConfig:
    """Read what the schema of adapter files has checked.

    Args:
        file: the adapter file.
        key: where this stands in it.
        data: what stands there.
        source: of the service.

    Raises:
        ConfigError: the capture does not go with the source.
    """
    known = {code for each in _EVENT_LISTS for code in contracts.code_list(each).codes}
    for name, code in data.get("events", {}).items():
        if code not in known:
            raise ConfigError(file, f"{key}.events.{name}", f"{code} is in none of {', '.join(_EVENT_LISTS)}")
    capturing = _capturing(file, f"{key}.capture", data.get("capture", {"kind": "writes"}), source)
    return PublishConfig(EventTypes(**data.get("events", {})), capturing, LoadLimits(**data.get("load", {})))


def _capturing(file: str, key: str, data: Mapping[str, Any], source: SourceDefinition) -> Capturing:
    kind = data["kind"]
    _check_keys(file, key, data)
    if isinstance(source, CallDefinition) and (source.key is None or source.stream is None):
        raise ConfigError(file, key, f"{source.file} needs record.key and stream: records are known again by their key")
    if kind in {"version-column", "change-table"} and not isinstance(source, SqlDefinition):
        raise ConfigError(file, f"{key}.kind", f"a {kind} is a database's: take snapshot")
    every = None if kind == "writes" else timedelta(seconds=data.get("every_seconds", EVERY[kind]))
    whole = timedelta(seconds=data["whole_seconds"]) if "whole_seconds" in data else None
    return Capturing(kind, _how(data, source), every, every if kind == "snapshot" else whole)


def _check_keys(file: str, key: str, data: Mapping[str, Any]) -> None:
    needs, takes = _KEYS[data["kind"]]
    common = {"kind", *_COMMON.get(data["kind"], ("every_seconds", "whole_seconds"))}
    for name in sorted(needs - set(data)):
        raise ConfigError(file, f"{key}.{name}", f"{data['kind']} needs it")
    for name in sorted(set(data) - needs - takes - common):
        raise ConfigError(file, f"{key}.{name}", f"has no meaning for {data['kind']}")


def _how(data: Mapping[str, Any], source: SourceDefinition) -> ByVersion | ByTable | None:
    if data["kind"] == "version-column" and isinstance(source, SqlDefinition):
        own = Watched(source.root.table, data["column"], source.root.key)
        also = tuple(Watched(each["table"], each["column"], each["key"]) for each in data.get("also", ()))
        return ByVersion((own, *also), data.get("overlap", OVERLAP))
    if data["kind"] == "change-table":
        return ByTable(data["table"], data["sequence"], data["key"])
    return None
