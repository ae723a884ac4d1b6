"""Reads the records that changed, and asks which of them a filter holds for: in the transaction, or in the source.

It refuses to read a registry by key that only answers questions: those of a service are compared as they come. Where
the tables of events stand beside the programme's own, the connection that writes also reads, so that a record is read
as it is in that very transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from adapters.errors import SearchRejected, SourceError
from adapters.source import Filter, Source
from adapters.source.assembling import fitting_of, records_of
from adapters.source.definition import SourceDefinition, SqlDefinition
from adapters.source.files import FilesSource
from adapters.source.filesdefinition import FilesDefinition
from adapters.source.filters import Comparison, Not
from adapters.source.matching import matches
from adapters.source.protocol import Record, ThreadedSource
from adapters.source.sql import SqlSource

_T = TypeVar("_T")


class Reader(Protocol):
    """How a service's records are read for publishing."""

    @property
    def by_key(self) -> bool:
        """Whether single records can be read."""

    def records(self, connection: Connection, keys: Sequence[str]) -> dict[str, Record]:
        """Return the records that are there; raises :class:`SourceError`."""

    def fitting(self, connection: Connection, where: Filter, found: Mapping[str, Record]) -> frozenset[str]:
        """Return the keys of those that a filter holds for.

        Raises:
            SearchRejected: the filter cannot be asked here.
            SourceError: the source does not answer.
        """


class SqlReader:
    """Reads a database: through the connection that is handed over, or through the source's own."""

    def __init__(self, definition: SqlDefinition, core: SqlSource | FilesSource | None) -> None:
        """Take the source; None when the tables of events are in the same database."""
        self.definition = definition
        self._core = core
        self.by_key = not isinstance(core, FilesSource)  # a file's lines are known by their place only

    def read(self, connection: Connection, work: Callable[[Connection], _T]) -> _T:
        """Run work where the records are."""
        return work(connection) if self._core is None else self._core.read(work)

    def records(self, connection: Connection, keys: Sequence[str]) -> dict[str, Record]:
        """As :meth:`Reader.records`."""
        return self.read(connection, lambda place: records_of(self.definition, place, keys))

    def fitting(self, connection: Connection, where: Filter, found: Mapping[str, Record]) -> frozenset[str]:
        """As :meth:`Reader.fitting`."""
        return self.read(connection, lambda place: fitting_of(self.definition, place, where, list(found)))


class HandedReader:
    """Compares records of a service as they were answered."""

    by_key = False

    def __init__(self, definition: SourceDefinition) -> None:
        self._definition = definition

    def records(self, connection: Connection, keys: Sequence[str]) -> dict[str, Record]:
        """Refuse: a service has no request for a record by its key."""
        del connection, keys
        raise SourceError(f"source {self._definition.name}: single records cannot be read: compare the whole registry")

    def fitting(self, connection: Connection, where: Filter, found: Mapping[str, Record]) -> frozenset[str]:
        """Compare the fields of each record; what only the service itself compares cannot be told."""
        del connection
        _check_fields(self._definition, where)
        return frozenset(key for key, record in found.items() if matches(self._definition, where, record))


def reader_of(source: Source, *, at_source: bool) -> Reader:
    """Return how a source's records are read; ``at_source`` says that the tables of events are in its own database."""
    core = source.core if isinstance(source, ThreadedSource) else None
    if isinstance(core, SqlSource):
        return SqlReader(core.definition, None if at_source else core)
    if isinstance(core, FilesSource) and isinstance(core.definition, FilesDefinition):
        return SqlReader(core.definition.sql, core)
    return HandedReader(source.definition)


def _check_fields(source: SourceDefinition, where: Filter) -> None:
    match where:
        case Comparison(attribute=name):
            if name in source.attributes and not source.attributes[name].column:
                raise SearchRejected("rjct.search_criteria.invalid", f"{name} is no field of the records")
        case Not(part=part):
            _check_fields(source, part)
        case _:
            for part in where.parts:
                _check_fields(source, part)
