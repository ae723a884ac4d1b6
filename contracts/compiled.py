"""The compiled validator: says in microseconds whether a document is valid. Each contract is compiled once a process.

It refuses to explain, apart from where it found the first fault: the reference does that. Where the package is not
installed there is no judge, and the reference stands in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from contracts.catalog import all_schemas, compilable, schema
from contracts.formats import LOOK_UPS, PATTERNS
from contracts.patterns import portable
from contracts.shape import compiled_form
from contracts.siblings import KEYWORDS, Rule
from contracts.subschemas import rewritten

try:
    import jsonschema_rs
except ModuleNotFoundError:  # the extra `adapters` is not installed
    AVAILABLE = False
else:
    AVAILABLE = True


@dataclass(frozen=True, slots=True)
class Finding:
    """Where the compiled validator found the first fault."""

    path: tuple[str | int, ...]
    rule: str
    schema_path: tuple[str | int, ...]


class Judge:
    """One compiled schema."""

    __slots__ = ("_validator",)

    def __init__(self, document: Mapping[str, Any], *, partial: bool = False) -> None:
        # Linear patterns only: a contract's pattern is never a way to stop a server.
        self._validator = jsonschema_rs.Draft202012Validator(
            dict(document),
            registry=_registry(partial),
            formats=dict(LOOK_UPS),
            validate_formats=True,
            keywords={each: _between_fields(each) for each in KEYWORDS},
            pattern_options=jsonschema_rs.RegexOptions(),
        )

    def accepts(self, document: object) -> bool:
        """Tell whether a document is valid; what is not JSON, or not Unicode, is not."""
        try:
            return self._validator.is_valid(document)
        except ValueError:
            return False

    def first_finding(self, document: object) -> Finding | None:
        """Return where the first fault of a document within the limits is; None when there is none."""
        error = next(self._validator.iter_errors(document), None)
        if error is None:
            return None
        return Finding(tuple(error.instance_path), error.kind.name, tuple(error.schema_path))


def _between_fields(keyword: str) -> type:
    """Make the class that the engine wants for a keyword of our own."""
    broken = KEYWORDS[keyword]

    class Check:
        def __init__(self, _parent: object, rule: Rule, _path: object) -> None:
            self._rule = rule

        def validate(self, instance: object) -> None:
            if broken(self._rule, instance) is not None:
                raise ValueError(keyword)

    return Check


@cache
def contract_judge(name: str, version: str, *, partial: bool = False) -> Judge:
    """Return the compiled contract; raises :class:`~contracts.catalog.UnknownContract`."""
    return Judge(for_compiler(schema(name, version), partial=partial), partial=partial)


@cache
def document_judge(name: str, version: str, partial: bool) -> Judge:  # noqa: FBT001  # a key of the cache
    """Return the limits of every document and a contract as one, so that a document is read once.

    The limits come first: a contract that follows a document down without end takes the process with it.

    Raises:
        UnknownContract: there is no such contract.
    """
    limits, contract = compiled_form(), for_compiler(schema(name, version), partial=partial)
    return Judge({"allOf": [limits, contract]}, partial=partial)


@cache
def _registry(partial: bool) -> "jsonschema_rs.Registry":  # noqa: FBT001  # a key of the cache
    ready = [for_compiler(each, partial=partial) for each in all_schemas().values()]
    return jsonschema_rs.Registry([(each["$id"], each) for each in ready], draft=jsonschema_rs.Draft202012)


def for_compiler(document: Mapping[str, Any], *, partial: bool = False) -> dict[str, Any]:
    """Return a schema with code lists in place, its patterns as the engine reads them, and formats as patterns."""
    return cast("dict[str, Any]", rewritten(compilable(document, partial=partial), _for_engine))


def _for_engine(node: dict[str, Any]) -> dict[str, Any]:
    changed = dict(node)
    if "pattern" in node:
        changed["pattern"] = portable(node["pattern"], "rust")
    form = PATTERNS.get(node.get("format", ""))
    if form is not None:
        del changed["format"]
        changed["allOf"] = [*node.get("allOf", ()), {"pattern": portable(form, "rust")}]
    return changed
