"""Under which keyed hashes persons and records are found: numbers, blocks, and keys of registries.

It refuses to hold anything that can be read back: who has the database alone cannot try a number.
"""

from collections.abc import Iterator
from typing import Final

from adapters.crosswalk.comparing import Features
from adapters.crosswalk.definition import Definition
from adapters.crosswalk.people import Number, Person
from adapters.events import EventsKey

_BYTES: Final = 16  # of 32: two of a thousand million words meet by chance once in 10^20 crosswalks
_US: Final = "crosswalk"


class Words:
    """The hashes of one crosswalk."""

    def __init__(self, key: EventsKey, definition: Definition) -> None:
        self._key, self._definition = key, definition

    def spid(self, spid: str) -> bytes:
        """Return the key of a person."""
        return self._key.word(_US, "spid", spid)

    def record(self, registry: str, key: str) -> bytes:
        """Return the key of a record."""
        return self._key.word(_US, "record", registry, key)

    def digest(self, text: str) -> bytes:
        """Return what tells whether a person is as before under the same declaration."""
        return self._key.word(_US, "digest", self._definition.version, text)

    def number(self, number: Number) -> bytes:
        """Return the word of a number."""
        return self._key.word(_US, "number", number.kind, number.registry, number.value)[:_BYTES]

    def numbers(self, person: Person) -> Iterator[bytes]:
        """Yield the words of all numbers that a person has."""
        for each in (*person.numbers, *person.cards, *person.elsewhere):
            yield self.number(each)

    def blocks(self, person: Features) -> list[bytes]:
        """Return the words of all blocks that a person is in."""
        return [self._key.word(_US, "block", each)[:_BYTES] for each in self._definition.block_keys(person)]

    def rules(self, person: Person) -> dict[bytes, str]:
        """Return, for each number that a rule is about, its word and the rule."""
        by_kind = {rule.kind: rule.code for rule in self._definition.rules}
        return {self.number(each): by_kind[each.kind] for each in person.numbers if each.kind in by_kind}
