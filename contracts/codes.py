"""Code lists: the closed vocabularies of the standard, kept as data beside the schemas.

It refuses to know which field uses a list; schemas refer to a list by its URN and mappings by its name.
The catalogue turns references to a list into an ``enum``; the mapping engine reads the same lists.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent / "codes"


class UnknownCodeList(KeyError):  # noqa: N818  # says what is unknown; KeyError says the rest
    """No code list of this name and version is part of the standard."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a code means, for people, in English and Khmer."""

    en: str
    km: str


@dataclass(frozen=True, slots=True)
class CodeList:
    """One published list; ``codes`` keeps the published order, ``descriptions`` say more of each code."""

    name: str
    version: str
    title: Label
    description: Label
    codes: Mapping[str, Label]
    descriptions: Mapping[str, Label]

    @property
    def urn(self) -> str:
        """The identifier by which a schema refers to this list."""
        return f"urn:spean:codes:{self.name.replace('/', ':')}:{self.version}"


@cache
def all_code_lists() -> Mapping[tuple[str, str], CodeList]:
    """Read every list of the package once; the key is (name, version)."""
    lists = [_read(path) for path in sorted(FOLDER.rglob("*.json"))]
    return MappingProxyType({(each.name, each.version): each for each in lists})


def code_list_names() -> tuple[str, ...]:
    """Names of all code lists, sorted."""
    return tuple(sorted({name for name, _version in all_code_lists()}))


def code_list_versions(name: str) -> tuple[str, ...]:
    """Versions of a code list, oldest first; raises :class:`UnknownCodeList`."""
    found = sorted(
        (v for n, v in all_code_lists() if n == name), key=lambda each: [int(part) for part in each.split(".")]
    )
    if not found:
        raise UnknownCodeList(f"no code list {name!r}")
    return tuple(found)


def code_list(name: str, version: str = "1.0.0") -> CodeList:
    """Return a list such as ``dci/sex-category``; raises :class:`UnknownCodeList`."""
    try:
        return all_code_lists()[name, version]
    except KeyError as error:
        raise UnknownCodeList(f"no code list {name!r} in version {version!r}") from error


def _read(path: Path) -> CodeList:
    data = json.loads(path.read_text(encoding="utf-8"))
    codes = {each["code"]: Label(each["title"], each["x-title-km"]) for each in data["codes"]}
    more = {each["code"]: Label(each["description"], each["x-description-km"]) for each in data["codes"]}
    return CodeList(
        name=data["name"],
        version=data["version"],
        title=Label(data["title"], data["x-title-km"]),
        description=Label(data["description"], data["x-description-km"]),
        codes=MappingProxyType(codes),
        descriptions=MappingProxyType(more),
    )
