"""Reads a write file and the mapping that it names, and checks all that can be known without the database.

It refuses fields that nothing writes, and declarations that contradict each other, naming file, key and rule.
:mod:`adapters.services` calls it for each service that takes records in.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adapters import yamlfile
from adapters.errors import ConfigError
from adapters.mapping.intake import load_intake, sources_of
from adapters.writing.definition import (
    Absent,
    Child,
    Condition,
    Find,
    Gone,
    Maker,
    Missing,
    Wins,
    WriteDefinition,
)


def load_write(path: Path) -> WriteDefinition:
    """Read a write file; raises :class:`ConfigError`."""
    file, data = str(path), yamlfile.load(path, "write")
    record = data["record"]
    fields: dict[str, str] = record["fields"]
    children = tuple(_child(file, name, each) for name, each in record.get("many", {}).items())
    every = frozenset(fields) | {f"{each.path}.{field}" for each in children for field in each.fields}
    mapping = load_intake(path.parent / data["mapping"], every, frozenset(each.path for each in children))
    gone, wins = data.get("gone", {"events": [], "do": "reject"}), data["wins"]
    definition = WriteDefinition(
        file=file,
        name=data["write"],
        version=data["version"],
        record_type=data["record_type"],
        mapping=mapping,
        senders={each["client"]: frozenset(each["events"]) if "events" in each else None for each in data["from"]},
        only_when=tuple(Condition(each["path"], frozenset(each["in"])) for each in data.get("only_when", ())),
        table=record["table"],
        key=record["key"],
        fields=fields,
        children=children,
        find=tuple(_find(file, place, each, record, children) for place, each in enumerate(data["find"])),
        missing=Missing(data["missing"]),
        gone_events=frozenset(gone["events"]),
        gone=Gone(gone["do"]),
        gone_set=gone.get("set", {}),
        new=_makers(data.get("new", {})),
        always=_makers(data.get("always", {})),
        wins={field: Wins(side) for field, side in wins.get("fields", {}).items()},
        wins_default=Wins(wins["default"]),
        changed=wins.get("changed"),
        tells=data.get("tells", {}),
    )
    for key, problem in _problems(definition, every):
        raise ConfigError(file, key, problem)
    return definition


def _child(file: str, path: str, data: Mapping[str, Any]) -> Child:
    for each in data["same"]:
        if each not in data["fields"]:
            raise ConfigError(file, f"record.many.{path}.same", f"there is no field {each} among its fields")
    return Child(
        path, data["table"], data["key"], data["row"], tuple(data["same"]), Absent(data["absent"]), data["fields"]
    )


def _find(
    file: str, place: int, data: Mapping[str, str], record: Mapping[str, Any], children: tuple[Child, ...]
) -> Find:
    """A field of the record or of a list is looked for in its own column, unless another table is named."""
    field = data["field"]
    if "table" in data:
        return Find(field, data["table"], data["column"], data["key"])
    if field in record["fields"]:
        return Find(field, record["table"], record["fields"][field], record["key"])
    for child in children:
        own = field.removeprefix(f"{child.path}.")
        if own != field and own in child.fields:
            return Find(field, child.table, child.fields[own], child.key)
    raise ConfigError(file, f"find.{place}.field", f"the record has no field {field}")


def _makers(data: Mapping[str, Mapping[str, Any]]) -> dict[str, Maker]:
    return {field: Maker(*next(iter(each.items()))) for field, each in data.items()}


def _problems(write: WriteDefinition, every: frozenset[str]) -> Iterator[tuple[str, str]]:
    mapped = frozenset(sources_of(write.mapping.mapping))
    yield from _unknown(write, every)
    if write.key not in write.fields.values():
        yield "record.fields", f"one field must be the column {write.key}, which names a record"
        return
    names = {f"{child.path}.{name}" for child in write.children for name in _row_fields(child)}
    used = mapped | names | set(write.new) | set(write.always) | set(write.gone_set) | {write.changed, write.key_field}
    unused = sorted(every - used)
    if unused:
        yield "record", f"nothing writes {', '.join(unused)}: map it, make it under 'new', or leave it out"
    for find in write.find:
        if find.field not in mapped:
            yield "find", f"the mapping does not write {find.field}, so that nothing can be found by it"
    if (write.gone is Gone.MARK) != bool(write.gone_set):
        yield "gone.set", "goes with do: mark"
    if Wins.NEWEST in {write.wins_default, *write.wins.values()} and write.changed is None:
        yield "wins.changed", "is missing: 'newest' needs the field with the local time of change"
    if write.missing is Missing.INSERT and write.key_field not in mapped | set(write.new):
        yield "new", f"must make {write.key_field}, or the mapping must write it: it names the new record"
    yield from _rows(write, mapped)


def _row_fields(child: Child) -> list[str]:
    return [field for field, column in child.fields.items() if column == child.row]


def _rows(write: WriteDefinition, mapped: frozenset[str]) -> Iterator[tuple[str, str]]:
    for child in write.children:
        own = _row_fields(child)
        if not own:
            yield f"record.many.{child.path}.fields", f"one field must be the column {child.row}, which names a row"
        elif f"{child.path}.{own[0]}" not in mapped | set(write.new):
            yield "new", f"must make {child.path}.{own[0]}, or the mapping must write it: it names a new row"


def _unknown(write: WriteDefinition, every: frozenset[str]) -> Iterator[tuple[str, str]]:
    for key, names in (
        ("new", write.new),
        ("always", write.always),
        ("gone.set", write.gone_set),
        ("wins.fields", set(write.wins) - {child.path for child in write.children}),
        ("tells", write.tells.values()),
        ("wins.changed", () if write.changed is None else (write.changed,)),
    ):
        for name in sorted(set(names) - every):
            yield f"{key}.{name}", "the record has no such field"
    for key in ("always", "gone_set"):
        for name in sorted(set(getattr(write, key)) - set(write.fields)):
            yield key.replace("_", "."), f"{name} is not a field of the record itself"
    for name in sorted(name for name, maker in write.new.items() if maker.kind == "add"):
        yield f"new.{name}", "add counts up what is there: it goes with 'always'"
    for name in sorted(
        name for name, maker in write.always.items() if maker.kind not in {"now", "add", "event", "value"}
    ):
        yield f"always.{name}", "next and random make new numbers: they go with 'new'"
