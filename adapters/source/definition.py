"""What every source file says, and what one about an SQL database adds: tables, keys, and what a query may name.

It refuses Python in a programme's folder: how a record is put together is declared here as tables and keys.
:mod:`adapters.source.sql` makes statements of it; mappings are checked against :attr:`SourceDefinition.shape`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

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
    """The table with one row per record; ``identity`` is the column by which one is known again, where not the key."""

    table: str
    key: str
    fields: tuple[Field, ...]
    identity: str | None = None


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
    """What a query may name.

    ``table`` None is the root's; another table is joined by its ``key`` to the root's key. For a source that is called,
    ``column`` is the path of a field in what it answered, empty when only a request takes the attribute.
    """

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
    """What a source file of any kind says; ``paths`` are the fields of a record, lists passed through, as declared."""

    file: str
    name: str
    version: str
    kind: str
    synthetic: bool
    timeout_ms: int
    paths: tuple[str, ...]
    identifiers: frozenset[str]
    attributes: Mapping[str, Attribute]

    @property
    def shape(self) -> frozenset[str]:
        """What a mapping must map or ignore."""
        return frozenset(self.paths)


@dataclass(frozen=True, slots=True)
class SqlDefinition(SourceDefinition):
    """A source whose records are rows of tables."""

    root: Root
    ones: tuple[One, ...]
    manies: tuple[Many, ...]


def sql_definition(file: str, data: dict[str, Any]) -> SqlDefinition:
    """Read what the schema ``source`` has checked; raises :class:`ConfigError`."""
    record = data["record"]
    root = Root(record["table"], record["key"], _fields(record["fields"]))
    ones = tuple(_one(path, each) for path, each in record.get("one", {}).items())
    manies = tuple(_many(path, each) for path, each in record.get("many", {}).items())
    definition = SqlDefinition(
        **common(file, data, data["statement_timeout_ms"], paths_of(root, ones, manies)),
        root=root,
        ones=ones,
        manies=manies,
    )
    check_definition(definition)
    return definition


def common(file: str, data: dict[str, Any], timeout_ms: int, paths: tuple[str, ...]) -> dict[str, Any]:
    """Return what sources of all kinds have, as the arguments of their classes."""
    queries = data["queries"]
    return {
        "file": file,
        "name": data["source"],
        "version": data["version"],
        "kind": data.get("kind", "sql"),
        "synthetic": data["synthetic"],
        "timeout_ms": timeout_ms,
        "paths": paths,
        "identifiers": frozenset(queries.get("identifiers", ())),
        "attributes": {name: read_attribute(file, name, each) for name, each in queries["attributes"].items()},
    }


def paths_of(root: Root, ones: tuple[One, ...], manies: tuple[Many, ...]) -> tuple[str, ...]:
    """Return the fields of a record that is put together from tables."""
    parts: tuple[One | Many, ...] = (*ones, *manies)
    own = [field.path for field in root.fields]
    return (*own, *(f"{part.path}.{field.path}" for part in parts for field in part.fields))


def check_definition(definition: SourceDefinition) -> None:
    """Raise :class:`ConfigError` for what contradicts itself in a source of any kind."""
    unknown = sorted(definition.identifiers - set(definition.attributes))
    if unknown:
        raise ConfigError(definition.file, "queries.identifiers", f"not among the attributes: {', '.join(unknown)}")
    paths = definition.paths
    for path in paths:
        if paths.count(path) > 1 or any(other.startswith(f"{path}.") for other in paths):
            raise ConfigError(definition.file, "record", f"the field {path} is declared twice or contains another")


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


def read_attribute(file: str, name: str, data: dict[str, Any]) -> Attribute:
    """Read one attribute of ``queries``; raises :class:`ConfigError` when its keys contradict each other."""
    table, key = data.get("table"), data.get("key")
    if (table is None) != (key is None):
        raise ConfigError(file, f"queries.attributes.{name}", "table and key go together")
    operators = frozenset(map(Operator, data.get("operators", _DEFAULT_OPERATORS[data["type"]])))
    attribute = Attribute(
        name=name,
        table=table,
        column=data.get("column", data.get("field", "")),
        key=key,
        type=data["type"],
        operators=operators,
        selective=data.get("selective", False),
        sortable=data.get("sortable", False),
        codes=data.get("codes"),
    )
    _check_attribute(file, attribute)
    return attribute


def _check_attribute(file: str, attribute: Attribute) -> None:
    place = f"queries.attributes.{attribute.name}"
    if attribute.sortable and (attribute.table is not None or not attribute.column):
        raise ConfigError(file, f"{place}.sortable", "only a column or field of the record itself can sort")
    others = attribute.operators - {Operator.EQ, Operator.NE, Operator.IN}
    if attribute.codes is not None and (attribute.type != "string" or others):
        raise ConfigError(file, f"{place}.codes", "go with type string and the operators eq, ne and in")
