"""A set of contracts and code lists to compare: the standard's own, a file, or a folder.

It refuses to judge them. References lead within the set first and then to the standard, so that a new version of one
record can be compared before it is part of anything.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator, SchemaError

from contracts.catalog import SCHEMAS
from contracts.codes import FOLDER
from contracts.violation import json_pointer

Node = Mapping[str, Any]
_CONTRACT: Final = "urn:spean:contract:"
_CODES: Final = "urn:spean:codes:"


class BadLibrary(ValueError):  # noqa: N818  # says what it is; ValueError says the rest
    """What was named is no contract, or cannot be read as one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One contract or code list of a set."""

    name: str
    version: str
    document: Node

    @property
    def coded(self) -> bool:
        """Whether it is a code list."""
        return "codes" in self.document


@dataclass(frozen=True, slots=True)
class Library:
    """Contracts and code lists by URN; ``chosen`` are those that were asked for."""

    by_urn: Mapping[str, Entry]
    chosen: tuple[Entry, ...]

    def find(self, urn: str) -> Entry | None:
        """Return what a reference leads to."""
        return self.by_urn.get(urn) or _standard().get(urn)


def load(text: str) -> Library:
    """Return what ``NAME``, ``NAME@VERSION``, a file or a folder holds; without a version the newest.

    Raises:
        BadLibrary: there is no such contract or file, or it is none.
        OSError: the file cannot be read.
    """
    path = Path(text)
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return _library([_read(path)])
    return _library([_named(text)])


def _named(text: str) -> Entry:
    name, _at, version = text.partition("@")
    found = [each for each in _standard().values() if each.name == name and version in {"", each.version}]
    if not found:
        raise BadLibrary(f"{text} is no contract, code list, file or folder. `spean contract list` shows the names.")
    return max(found, key=_order)


def _folder(path: Path) -> Library:
    found = [entry for each in sorted(path.rglob("*.json")) if (entry := _sound(each)) is not None]
    if not found:
        raise BadLibrary(f"{path} holds no contracts: files with an $id such as {_CONTRACT}cambodia:person:1.0.0.")
    newest = {each.name: each for each in sorted(found, key=_order)}
    return Library({_urn(each): each for each in found}, tuple(newest.values()))


def _read(path: Path) -> Entry:
    found = _sound(path)
    if found is None:
        raise BadLibrary(f"{path} is neither a contract (it has no $id {_CONTRACT}…) nor a code list.")
    return found


def _sound(path: Path) -> Entry | None:
    """Read what a file of somebody's own holds, and see that it is a schema: the comparison walks through it."""
    found = _entry(_json(path))
    if found is not None and not found.coded:
        _check_schema(path, found)
    return found


def _check_schema(path: Path, entry: Entry) -> None:
    try:
        Draft202012Validator.check_schema(entry.document)
    except SchemaError as error:
        where = json_pointer(error.absolute_path) or "/"
        raise BadLibrary(f"{path} is no JSON Schema: at {where} it breaks the rule {error.validator!r}.") from error


def _json(path: Path) -> Any:  # noqa: ANN401  # any JSON
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise BadLibrary(f"{path} is not JSON: {error}") from error
    except RecursionError as error:
        raise BadLibrary(f"{path} is nested too deeply to be a contract.") from error


def _entry(document: Any) -> Entry | None:  # noqa: ANN401  # any JSON
    if not isinstance(document, dict):
        return None
    identity = str(document.get("$id", ""))
    if identity.startswith(_CONTRACT) and identity.count(":") == 5:  # noqa: PLR2004  # urn:spean:contract:a:b:1.0.0
        family, name, version = identity.removeprefix(_CONTRACT).split(":")
        return Entry(f"{family}/{name}", version, document)
    codes = document.get("codes")
    coded = isinstance(codes, list) and all(isinstance(each, dict) and "code" in each for each in codes)
    if coded and "name" in document and "version" in document:
        return Entry(str(document["name"]), str(document["version"]), document)
    return None


def _library(entries: list[Entry]) -> Library:
    return Library({_urn(each): each for each in entries}, tuple(entries))


def _urn(entry: Entry) -> str:
    return f"{_CODES if entry.coded else _CONTRACT}{entry.name.replace('/', ':')}:{entry.version}"


def _order(entry: Entry) -> tuple[str, tuple[int, ...]]:
    parts = entry.version.split(".")
    return entry.name, tuple(int(each) if each.isdecimal() else 0 for each in parts)


@cache
def _standard() -> Mapping[str, Entry]:
    paths = [*SCHEMAS.rglob("*.json"), *FOLDER.rglob("*.json")]
    found = (_entry(_json(each)) for each in sorted(paths))
    return {_urn(each): each for each in found if each is not None}
