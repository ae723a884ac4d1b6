"""What the pages show, gathered from the catalogue: each record with its fields, examples, relations and past changes.

It refuses to know HTML: templates read these objects. Addresses of pages are made here, so that links and files agree.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import contracts
from contracts.changes import Change
from contracts.codes import CodeList, Label
from contracts.diff import changes
from contracts.fields import Field, Target, fields, target_of, whole_rules
from contracts.library import load
from contracts.subschemas import children

Node = Mapping[str, Any]

RECORDS: Final = "records"
CODES: Final = "codes"


def page_of(target: Target) -> str:
    """Return the address of a page within the folder."""
    return f"{CODES if target.coded else RECORDS}/{target.name}-{target.version}.html"


@dataclass(frozen=True, slots=True)
class Sample:
    """One example, ready to be shown."""

    title: str
    rule: str | None
    pointer: str | None
    text: str


@dataclass(frozen=True)
class Record:
    """One version of a contract."""

    target: Target
    schema: Node

    @property
    def title(self) -> Label:
        """Title in both languages."""
        return Label(self.schema["title"], self.schema["x-title-km"])

    @property
    def description(self) -> Label:
        """Description in both languages."""
        return Label(self.schema["description"], self.schema["x-description-km"])

    @property
    def page(self) -> str:
        """Address of its page."""
        return page_of(self.target)

    @property
    def family(self) -> str:
        """The part of the standard that it belongs to."""
        return self.target.name.partition("/")[0]

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """All fields."""
        return fields(self.schema)

    @property
    def rules(self) -> tuple[tuple[str, str], ...]:
        """Rules over several fields."""
        return whole_rules(self.schema)

    @cached_property
    def refers_to(self) -> tuple[Target, ...]:
        """Records and code lists that it names, wherever in it."""
        return tuple(dict.fromkeys(_references(self.schema)))

    def samples(self, *, valid: bool) -> list[Sample]:
        """Return its examples of one kind."""
        found = contracts.examples(self.target.name, self.target.version)
        return [_sample(each) for each in found if each.valid is valid]

    def changes(self) -> tuple[Change, ...]:
        """Return what changed since the version before it; empty for the first."""
        before = [each for each in contracts.versions(self.target.name) if _order(each) < _order(self.target.version)]
        if not before:
            return ()
        return changes(load(f"{self.target.name}@{before[-1]}"), load(f"{self.target.name}@{self.target.version}"))


@dataclass(frozen=True, slots=True)
class Standard:
    """All of it, with who refers to whom."""

    records: tuple[Record, ...]
    code_lists: tuple[CodeList, ...]
    used_by: Mapping[Target, tuple[Target, ...]]

    def title(self, target: Target) -> Label:
        """Return the title of what a target names."""
        if target.coded:
            return contracts.code_list(target.name, target.version).title
        schema = contracts.schema(target.name, target.version)
        return Label(schema["title"], schema["x-title-km"])


def standard() -> Standard:
    """Gather everything once, in order."""
    records = tuple(
        Record(Target(name, version, coded=False), contracts.schema(name, version))
        for name in contracts.names()
        for version in contracts.versions(name)
    )
    lists = tuple(
        contracts.code_list(name, version)
        for name in contracts.code_list_names()
        for version in contracts.code_list_versions(name)
    )
    used: dict[Target, list[Target]] = {}
    for record in records:
        for each in record.refers_to:
            used.setdefault(each, []).append(record.target)
    return Standard(records, lists, {target: tuple(each) for target, each in used.items()})


def target_of_list(found: CodeList) -> Target:
    """Return the target that names a code list."""
    return Target(found.name, found.version, coded=True)


def _references(node: Any) -> Iterator[Target]:  # noqa: ANN401  # a schema is an object or a boolean
    if not isinstance(node, Mapping):
        return
    found = target_of(node.get("$ref", ""))
    if found is not None:
        yield found
    for _where, each in children(node):
        yield from _references(each)


def _sample(example: contracts.Example) -> Sample:
    text = json.dumps(example.document, ensure_ascii=False, indent=2)
    return Sample(example.title, example.rule, example.pointer, text)


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
