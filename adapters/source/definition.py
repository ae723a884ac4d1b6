"""What a source file says: the tables of a record, their keys, and the attributes that a query may name.

It refuses Python in a programme's folder: how a record is put together is declared here as tables and keys.
:mod:`adapters.source.sql` makes statements of it; mappings are checked against :attr:`SourceDefinition.shape`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters import yamlfile
from adapters.errors import ConfigError
from adapters.source.filters import Operator

_RANGES: Final = (Operator.LT, Operator.LE, Operator.GT, Operator.GE)
_DEFAULT_OPERATORS: Final = {
    "string": (Operator.EQ, Operator.IN),
    "integer": (Operator.EQ, Operator.NE, Operator.IN, *_RANGES),
    "date": (Operator.EQ, *_RANGES),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a local record and the column that it comes from."""

    path: str
    column: str
    null_is_missing: bool


@dataclass(frozen=True, slots=True)
class Root:
    """The table with one row per record."""

    table: str
    key: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class One:
    """A table with at most one row per record, found by a column of the root."""

    path: str
    table: str
    key: str
    parent: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Many:
    """A table with any number of rows per record, found by the record's key."""

    path: str
    table: str
    key: str
    order: tuple[str, ...]
    limit: int
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a query may name. ``table`` None is the root's; another table is joined by its ``key`` to the root's key."""

    name: str
    table: str | None
    column: str
    key: str | None
    type: str
    operators: frozenset[Operator]
    selective: bool
    sortable: bool
    codes: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class SourceDefinition:
    """A whole source file."""

    file: str
    name: str
    version: str
    synthetic: bool
    statement_timeout_ms: int
    root: Root
    ones: tuple[One, ...]
    manies: tuple[Many, ...]
    identifiers: frozenset[str]
    attributes: Mapping[str, Attribute]

    @property
    def paths(self) -> tuple[str, ...]:
        """Dotted paths of all fields of a record, lists passed through, as declared."""
        parts: tuple[One | Many, ...] = (*self.ones, *self.manies)
        own = [field.path for field in self.root.fields]
        return (*own, *(f"{part.path}.{field.path}" for part in parts for field in part.fields))

    @property
    def shape(self) -> frozenset[str]:
        """What a mapping must map or ignore."""
        return frozenset(self.paths)


def load_source(path: Path) -> SourceDefinition:
    """Read a source file; raises :class:`ConfigError` naming file, key and problem."""
    return _definition(str(path), yamlfile.load(path, "source"))


def parse_source(data: bytes, *, name: str) -> SourceDefinition:
    """As :func:`load_source`, from bytes."""
    return _definition(name, yamlfile.parse(data, "source", name=name))


def _definition(file: str, data: dict[str, Any]) -> SourceDefinition:
    record, queries = data["record"], data["queries"]
    definition = SourceDefinition(
        file=file,
        name=data["source"],
        version=data["version"],
        synthetic=data["synthetic"],
        statement_timeout_ms=data["statement_timeout_ms"],
        root=Root(record["table"], record["key"], _fields(record["fields"])),
        ones=tuple(_one(path, each) for path, each in record.get("one", {}).items()),
        manies=tuple(_many(path, each) for path, each in record.get("many", {}).items()),
        identifiers=frozenset(queries.get("identifiers", ())),
        attributes={name: _attribute(file, name, each) for name, each in queries["attributes"].items()},
    )
    _check(definition)
    return definition


def _fields(data: dict[str, Any]) -> tuple[Field, ...]:
    return tuple(_field(path, each) for path, each in data.items())


def _field(path: str, data: str | dict[str, str]) -> Field:
    if isinstance(data, str):
        return Field(path, data, null_is_missing=False)
    return Field(path, data["column"], null_is_missing=data.get("null") == "missing")


def _one(path: str, data: dict[str, Any]) -> One:
    return One(path, data["table"], data["key"], data["parent"], _fields(data["fields"]))


def _many(path: str, data: dict[str, Any]) -> Many:
    return Many(path, data["table"], data["key"], tuple(data["order"]), data["limit"], _fields(data["fields"]))


def _attribute(file: str, name: str, data: dict[str, Any]) -> Attribute:
    table, key = data.get("table"), data.get("key")
    if (table is None) != (key is None):
        raise ConfigError(file, f"queries.attributes.{name}", "table and key go together")
    operators = frozenset(map(Operator, data.get("operators", _DEFAULT_OPERATORS[data["type"]])))
    attribute = Attribute(
        name=name,
        table=table,
        column=data["column"],
        key=key,
        type=data["type"],
        operators=operators,
        selective=data.get("selective", False),
        sortable=data.get("sortable", False),
        codes=data.get("codes"),
    )
    if attribute.sortable and table is not None:
        raise ConfigError(
            file, f"queries.attributes.{name}.sortable", "only a column of the record's own table can sort"
        )
    if attribute.codes is not None and (
        attribute.type != "string" or operators - {Operator.EQ, Operator.NE, Operator.IN}
    ):
        raise ConfigError(
            file, f"queries.attributes.{name}.codes", "go with type string and the operators eq, ne and in"
        )
    return attribute


def _check(definition: SourceDefinition) -> None:
    unknown = sorted(definition.identifiers - set(definition.attributes))
    if unknown:
        raise ConfigError(definition.file, "queries.identifiers", f"not among the attributes: {', '.join(unknown)}")
    paths = definition.paths
    for path in paths:
        if paths.count(path) > 1 or any(other.startswith(f"{path}.") for other in paths):
            raise ConfigError(definition.file, "record", f"the field {path} is declared twice or contains another")
