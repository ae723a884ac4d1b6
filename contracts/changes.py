"""What differs between two versions of a contract, and for whom that breaks something.

It refuses to find differences; :mod:`contracts.diff` does. Whether a change breaks depends on the direction of the
document: who writes it keeps the old rules while the reader has the new ones, or the other way round.
"""

from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What a change does to the set of documents that the contract accepts."""

    NARROWER = "narrower"  # fewer documents than before
    WIDER = "wider"  # more documents than before
    OTHER = "other"  # some that were refused are accepted, and the other way round
    REMOVED = "removed"  # a field is gone: a writer's is refused or lost, a reader's is missing
    ADDED = "added"  # an optional field: readers ignore what they do not know
    TEXT = "text"  # what people read; no document is judged otherwise


class Role(StrEnum):
    """Which way a document goes."""

    ANSWER = "answer"  # the provider writes, the consumer reads
    REQUEST = "request"  # the consumer writes, the provider reads


_BREAKS_READERS = frozenset({Effect.WIDER, Effect.OTHER, Effect.REMOVED})
_BREAKS_WRITERS = frozenset({Effect.NARROWER, Effect.OTHER, Effect.REMOVED})


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        contract: name of the contract or code list.
        path: the field, such as ``member_list[].demographic_info.sex``; empty for the whole.
        what: a sentence about it, in English.
        effect: what it does to the set of accepted documents.
    """

    contract: str
    path: str
    what: str
    effect: Effect

    def breaks_consumers(self, role: Role) -> bool:
        """Tell whether a consumer that keeps to the old version is in trouble."""
        return self.effect in (_BREAKS_READERS if role is Role.ANSWER else _BREAKS_WRITERS)

    def breaks_providers(self, role: Role) -> bool:
        """Tell whether a provider that keeps to the old version is in trouble."""
        return self.effect in (_BREAKS_WRITERS if role is Role.ANSWER else _BREAKS_READERS)

    def breaks(self, role: Role) -> bool:
        """Tell whether anybody is in trouble."""
        return self.breaks_consumers(role) or self.breaks_providers(role)
