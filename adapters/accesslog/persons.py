"""Finds by which identifiers one person is known, in the registries that an institution (or a sandbox) runs.

It refuses to follow identifiers that several people share, such as a family's card: they would lead to relatives, whose
data are not the citizen's. ``spean access-report`` asks it, so that a SPID finds what was asked by an ID card number.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.composition import open_services
from adapters.config import AdapterConfig
from adapters.errors import AdapterError, SearchRejected
from adapters.registry.search import Registry
from adapters.source import Comparison, Operator, Query
from adapters.subjects import PersonId, identities

SHARED: Final = frozenset({"EQUITY_CARD", "FAMILY_BOOK"})  # of a household, not of a person
LOCAL: Final = "LOCAL_ID"  # means something in its own registry only
_ROUNDS: Final = 3  # SPID → ID card → what only a third registry has; more would be a chain of mistakes
_AT_MOST: Final = 100  # records of one person, such as payments; what stands in more is no person's own number


@dataclass(frozen=True, slots=True)
class Given:
    """An identifier that the citizen gives, and at which adapters it is theirs; none named: it is everywhere.

    A number of one registry means another person in another: it is looked for where it was issued, and nowhere else.
    """

    person: PersonId
    adapters: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """By which identifiers a person stands in each adapter's records, and which adapters could not be asked."""

    everywhere: frozenset[PersonId]
    local: Mapping[str, frozenset[PersonId]]
    silent: tuple[str, ...]

    def at(self, config: AdapterConfig) -> frozenset[PersonId]:
        """Return the identifiers under which this adapter may have written of the person."""
        return self.everywhere | self.local.get(config.file, frozenset())


async def identifiers_of(given: Iterable[Given], configs: Sequence[AdapterConfig]) -> Known:
    """Ask the adapters' own sources which identifiers stand beside those that are given.

    Args:
        given: what the citizen gives, all of it their own.
        configs: the adapters to ask; a source that does not answer is left out and named.
    """
    given = tuple(given)
    everywhere = {each.person for each in given if not each.adapters}
    bound = {
        config.file: frozenset(each.person for each in given if config.adapter in each.adapters) for config in configs
    }
    local, asked = dict(bound), {config.file: set[PersonId]() for config in configs}
    silent: dict[str, None] = {}
    for _ in range(_ROUNDS):
        fresh = {file: _followed(everywhere | own) - asked[file] for file, own in bound.items()}
        if not any(fresh.values()):
            break
        for config, found in zip(configs, await _all_beside(configs, fresh, silent), strict=True):
            asked[config.file] |= fresh[config.file]
            local[config.file] |= {each for each in found if each.kind == LOCAL}
            everywhere |= _followed(each for each in found if each.kind != LOCAL)
    return Known(frozenset(everywhere), local, tuple(silent))


def _followed(persons: Iterable[PersonId]) -> set[PersonId]:
    return {each for each in persons if each.kind not in SHARED}


async def _all_beside(
    configs: Sequence[AdapterConfig], persons: Mapping[str, Iterable[PersonId]], silent: dict[str, None]
) -> list[set[PersonId]]:
    async with asyncio.TaskGroup() as together:
        asked = [together.create_task(_beside(each, persons[each.file], silent)) for each in configs]
    return [each.result() for each in asked]


async def _beside(config: AdapterConfig, persons: Iterable[PersonId], silent: dict[str, None]) -> set[PersonId]:
    found: set[PersonId] = set()
    try:
        async with open_services(config) as registries:
            for registry in registries:
                for person in persons:
                    if person.kind in registry.source.definition.identifiers:
                        found |= await _same(registry, person)
    except AdapterError:
        silent[config.adapter] = None
    return found


async def _same(registry: Registry, person: PersonId) -> set[PersonId]:
    """Return what stands in one list with the person's identifier, in records that the registry finds by it."""
    where = Comparison(person.kind, Operator.EQ, (person.value,))
    try:
        found = await registry.source.search(Query(where, (), 0, _AT_MOST, _AT_MOST))
    except SearchRejected:
        return set()  # too many to be one person's, or a value that this registry cannot hold: nothing to learn
    mapping = registry.mappings[registry.default]
    groups = [group for record in found.records for group in identities(mapping.apply(record))]
    return {each for group in groups if person in group for each in group}
