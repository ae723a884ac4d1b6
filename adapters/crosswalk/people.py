"""The persons that a record of the standard names, as what is compared of them: a value each, without a field more.

It refuses to know any registry: where persons stand in its records is declared. Matching reads these and nothing else
of a record.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Final, Self

Record = Mapping[str, Any]
_UNKNOWN_SEX: Final = "unknown"
_TORN: Final = re.compile("[\ud800-\udfff]")
LOCAL: Final = "LOCAL_ID"


@dataclass(frozen=True, slots=True)
class Number:
    """An identifier, and whose it is: ``registry`` is empty unless the number means something in one registry only."""

    kind: str
    value: str
    registry: str = ""


@dataclass(frozen=True, slots=True)
class Where:
    """Where the persons of a registry's records stand, as dotted paths; ``.`` is the record itself.

    Args:
        people: each element is a person with identifiers.
        info: from there, what the standard calls ``demographic_info``.
        household: where identifiers and address of the household stand.
        key: type of the identifier that names a person in this registry.
    """

    people: str = "."
    info: str = "demographic_info"
    household: str = "."
    key: str = LOCAL


@dataclass(frozen=True, slots=True)
class Person:
    """What is compared of one person in one registry; empty text where nothing is known.

    ``key`` names the person in the registry. Names are as the record has them, for the reviewer's screen.
    """

    registry: str
    key: str
    surname: str = ""
    given: str = ""
    surname_latin: str = ""
    given_latin: str = ""
    sex: str = ""
    born: str = ""  # 2026-01-31
    year: int = 0
    village: str = ""
    numbers: tuple[Number, ...] = ()
    cards: tuple[Number, ...] = ()  # of the household
    elsewhere: tuple[Number, ...] = ()  # what the registry was told of other registries
    replaced_by: str = ""  # the SPID that counts now

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` takes, without what is empty."""
        data = {name: getattr(self, name) for name in _FIELDS}
        numbers = {name: [[each.kind, each.value, each.registry] for each in data[name]] for name in _LISTS}
        return {name: value for name, value in (data | numbers).items() if value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what was sealed."""
        lists = {name: tuple(Number(*each) for each in data.get(name, ())) for name in _LISTS}
        return cls(**{**data, **lists})

    def number(self, kind: str) -> frozenset[str]:
        """Return the values of one type of number."""
        return frozenset(each.value for each in self.numbers if each.kind == kind)


_FIELDS: Final = tuple(each.name for each in fields(Person))
_LISTS: Final = ("numbers", "cards", "elsewhere")


def persons(registry: str, code: str, where: Where, record: Record) -> Iterator[Person]:
    """Yield each person of a record who has a key in this registry.

    Args:
        registry: what the crosswalk calls the list of persons.
        code: of the registry whose list it is; its local numbers are told apart by it.
        where: persons stand in the record.
        record: in the standard.
    """
    household = next(_at(record, where.household), {})
    cards, village = tuple(_numbers(code, household.get("group_identifier"))), _village(household.get("address"))
    for node in _at(record, where.people):
        info = next(_at(node, where.info), {})
        found = dict.fromkeys(
            (
                *_numbers(code, node.get("member_identifier")),
                *_numbers(code, info.get("member_identifier")),
                *_numbers(code, info.get("identifier")),
            )
        )
        key = next((each.value for each in found if each.kind == where.key), "")
        if key:
            yield _person(registry, key, info, tuple(found), (cards, village, record))


def _person(
    registry: str, key: str, info: Record, found: tuple[Number, ...], around: tuple[tuple[Number, ...], str, Record]
) -> Person:
    (cards, village, record), name = around, next(_at(info, "name"), {})
    born = _born(info.get("birth_date"))
    return Person(
        registry=registry,
        key=key,
        surname=_text(name.get("surname")),
        given=_text(name.get("given_name")),
        surname_latin=_text(name.get("surname_latin")),
        given_latin=_text(name.get("given_name_latin")),
        sex=_sex(info.get("sex")),
        born=born,
        year=int(born[:4]) if born else _year(info.get("birth_year")),
        village=_village(info.get("address")) or village,
        numbers=found,
        cards=cards,
        elsewhere=tuple(_elsewhere(record)),
        replaced_by=_text(next(_at(record, "replaced_by"), {}).get("identifier_value")),
    )


def _at(record: object, path: str) -> Iterator[Record]:
    """Yield the objects at a path, lists passed through."""
    if path != ".":
        head, _, rest = path.partition(".")
        for node in _at(record, "."):
            yield from _at(node.get(head), rest or ".")
    elif isinstance(record, list):
        for each in record:
            yield from _at(each, ".")
    elif isinstance(record, dict):
        yield record


def _numbers(code: str, data: object) -> Iterator[Number]:
    for each in _at(data, "."):
        kind, value = _text(each.get("identifier_type")), _text(each.get("identifier_value"))
        if kind and value:
            yield number(kind, value, code)


def number(kind: str, value: str, registry: str) -> Number:
    """Return a number, with its registry where it means nothing elsewhere."""
    return Number(kind, value, registry if kind == LOCAL else "")


def _elsewhere(record: Record) -> Iterator[Number]:
    for each in _at(record.get("registered_in"), "."):
        for found in _numbers("", each.get("identifier")):
            yield number(found.kind, found.value, _text(each.get("registry")))


def _village(address: object) -> str:
    return next((_text(each.get("village_code") or each.get("commune_code")) for each in _at(address, ".")), "")


def _born(value: object) -> str:
    """Return the day; empty for what is none, so that a file from elsewhere cannot stop the work."""
    try:
        return date.fromisoformat(_text(value)[:10]).isoformat()
    except ValueError:
        return ""


def _year(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= date.max.year else 0


def _sex(value: object) -> str:
    text = _text(value)
    return "" if text == _UNKNOWN_SEX else text


def _text(value: object) -> str:
    """Return a text; empty for what is none, or cannot be written: half a pair of surrogates."""
    return value if isinstance(value, str) and not _TORN.search(value) else ""
