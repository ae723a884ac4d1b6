"""What the file of a crosswalk declares: registries, rules, weights with their reasons, thresholds and blocks.

It refuses a declaration that leaves a level without a weight or names what does not exist. A reviewer and an auditor
read the same file that decides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

from adapters import yamlfile
from adapters.crosswalk.comparing import LEVELS, Features, parts
from adapters.crosswalk.people import LOCAL, Person, Where, persons
from adapters.errors import ConfigError
from adapters.events.naming import BadAddress, ServiceAddress
from contracts.codes import code_list

_PARTS: Final = frozenset({"given", "surname", "latin", "year", "day", "village", "sex", "names", "card"})
_REGISTRY_LIST: Final = "cambodia/registry"


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence in both languages."""

    en: str
    km: str


@dataclass(frozen=True, slots=True)
class Registry:
    """One list of persons.

    Args:
        code: of the list ``cambodia/registry``, as answers name it.
        where: persons stand in its records.
        unique: whether it promises to have nobody twice.
        owner: the client that is told of what does not fit; empty: nobody is.
        fed_by: the adapter and its service whose records hold the persons, as ``adapter/service``.
        tell: the owner's service that takes findings; None when they are only listed.
        record: type of the records of its events, by which it is told from the owner's other lists; empty: its events
            are not taken.
    """

    name: str
    code: str
    where: Where
    unique: bool
    owner: str
    fed_by: str = ""
    tell: ServiceAddress | None = None
    record: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Two records with one number of this type are one person, when the rest bears it."""

    code: str
    kind: str
    text: Text


@dataclass(frozen=True, slots=True)
class Weight:
    """What a level weighs, in bits: log2 of how much more often it is seen of one person than of two."""

    bits: float
    text: Text


@dataclass(frozen=True, slots=True)
class Definition:
    """A crosswalk's whole declaration."""

    file: str
    name: str
    version: str
    anchor: str  # the registry that gives the SPID
    registries: Mapping[str, Registry]
    rules: tuple[Rule, ...]
    exclusive: frozenset[str]  # types of number of which a person has one
    household: frozenset[str]  # types of number that a household has
    bears: Mapping[str, frozenset[str]]  # levels with which a rule still holds
    needs: Mapping[str, frozenset[str]]  # levels without which no score decides alone
    weights: Mapping[str, Mapping[str, Weight]]
    match: float
    review: float
    margin: float
    blocks: tuple[tuple[str, ...], ...]

    def persons(self, registry: str, record: Mapping[str, Any]) -> Iterator[Person]:
        """Yield the persons whom a record of a registry names; raises :class:`ConfigError` for another registry."""
        found = self.registries.get(registry)
        if found is None:
            raise ConfigError(self.file, "registries", f"has no {registry}, but {', '.join(self.registries)}")
        return persons(registry, found.code, found.where, record)

    def weight(self, levels: Mapping[str, str]) -> float:
        """Add up."""
        return sum(self.weights[field][level].bits for field, level in levels.items())

    def block_keys(self, person: Features) -> list[str]:
        """Return the blocks that a person is in."""
        found = parts(person)
        cards = tuple(each for each in found["card"] if each.partition(" ")[0] in self.household)
        found = {**found, "card": cards}
        return [
            f"{'+'.join(block)}:{'|'.join(values)}"
            for block in self.blocks
            for values in product(*(found[part] for part in block))
        ]


def load_definition(path: Path) -> Definition:
    """Read and check; raises :class:`ConfigError`."""
    data = yamlfile.load(path, "crosswalk")
    file = str(path)
    registries = {name: _registry(file, name, each) for name, each in data["registries"].items()}
    if data["anchor"] not in registries:
        raise ConfigError(file, "anchor", "is not among the registries")
    _check_events(file, registries)
    return Definition(
        file=file,
        name=data["crosswalk"],
        version=data["version"],
        anchor=data["anchor"],
        registries=registries,
        rules=tuple(Rule(each["code"], each["number"], _text(each)) for each in data["rules"]),
        exclusive=frozenset(data["exclusive"]),
        household=frozenset(data["household"]),
        bears=_levels(file, "bears", data["bears"]),
        needs=_levels(file, "needs", data["needs"]),
        weights=_weights(file, data["weights"]),
        blocks=_blocks(file, data["blocks"]),
        **_thresholds(file, data["thresholds"]),
    )


def _registry(file: str, name: str, data: Mapping[str, Any]) -> Registry:
    if data["code"] not in code_list(_REGISTRY_LIST).codes:
        raise ConfigError(file, f"registries.{name}.code", "is no code of cambodia/registry")
    defaults = Where()
    where = Where(
        data.get("people", defaults.people),
        data.get("info", defaults.info),
        data.get("household", defaults.household),
        data.get("key", LOCAL),
    )
    owner = data.get("owner", "")
    tell = _tell(file, f"registries.{name}.tell", data["tell"], owner) if "tell" in data else None
    return Registry(
        name, data["code"], where, data["unique"], owner, data.get("fed_by", ""), tell, data.get("record", "")
    )


def _check_events(file: str, registries: Mapping[str, Registry]) -> None:
    """An event names its owner and the type of its record: together they must say which list it is about."""
    known: set[tuple[str, str]] = set()
    for name, each in registries.items():
        if each.record and not each.owner:
            raise ConfigError(file, f"registries.{name}.record", "needs owner: whose events are taken")
        if each.record and (each.owner, each.record) in known:
            raise ConfigError(file, f"registries.{name}.record", "stands twice with this owner: which list is meant?")
        known.add((each.owner, each.record))


def _tell(file: str, key: str, text: str, owner: str) -> ServiceAddress:
    try:
        found = ServiceAddress.parse(text)
    except BadAddress as error:
        raise ConfigError(file, key, str(error)) from error
    if str(found.client) != owner:
        raise ConfigError(file, key, "is no service of the owner: nobody else is told of its records")
    return found


def _levels(file: str, key: str, data: Mapping[str, list[str]]) -> dict[str, frozenset[str]]:
    for field, named in data.items():
        for level in named:
            if level not in LEVELS.get(field, ()):
                raise ConfigError(file, f"{key}.{field}", f"there is no level {level}")
    return {field: frozenset(named) for field, named in data.items()}


def _weights(file: str, data: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Weight]]:
    for field, expected in LEVELS.items():
        if set(data.get(field, ())) != set(expected):
            raise ConfigError(file, f"weights.{field}", f"must have exactly the levels {', '.join(expected)}")
    return {
        field: {level: Weight(float(each["bits"]), _text(each)) for level, each in levels.items()}
        for field, levels in data.items()
    }


def _blocks(file: str, data: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    unknown = sorted({part for block in data for part in block} - _PARTS)
    if unknown:
        raise ConfigError(file, "blocks", f"blocks are made of {', '.join(sorted(_PARTS))}, not of {unknown[0]}")
    return tuple(tuple(block) for block in data)


def _thresholds(file: str, data: Mapping[str, float]) -> dict[str, float]:
    if not data["review"] < data["match"]:
        raise ConfigError(file, "thresholds", "review must be below match")
    return {name: float(data[name]) for name in ("match", "review", "margin")}


def _text(data: Mapping[str, Any]) -> Text:
    return Text(data["en"], data["km"])
