"""What is proposed of a source: its file, how to connect to it, and samples by which a mapping is guessed.

It refuses to decide what a field means; :mod:`adapters.starting.guessing` does that with the samples.
The modules that read sources make these, and :mod:`adapters.starting.folder` writes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Samples = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A source as far as it could be read.

    Args:
        source: what ``source.yaml`` will say, without its name.
        connection: what stands under ``source:`` of ``adapter.yaml``.
        samples: by the path of each field in a record, some of its values; they never leave the process.
        labels: what people call a field, where that is not its path.
        askable: by the path of a field, the attribute by which a search may name it, should it turn out an identifier.
        password: goes into a file of its own; None when there is none.
        folders: folders to make beside the files.
    """

    source: Mapping[str, Any]
    connection: Mapping[str, Any]
    samples: Samples
    password: str | None = None
    folders: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    askable: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
