"""Makes the publication: every file that the central server serves, built, signed, and swapped in as one value.

It refuses to serve and to read clocks: the server gives it the time and takes the finished publication.
Parts keep their location as long as their content stays, so that clients fetch only what changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from centralserver.content import Content
from centralserver.keys import EXTERNAL, INTERNAL, SigningKey, SigningKeys
from xroad.globalconf.parameters import build_private, build_shared
from xroad.globalconf.part import PRIVATE_PARAMETERS, SHARED_PARAMETERS
from xroad.globalconf.publication import NewPart, build_directory

# A client that fetched the directory just before a change still asks for the parts that it named.
KEPT_GENERATIONS = 5

# The parts of one content, by version.
Generation = Mapping[int, Sequence[NewPart]]


@dataclass(frozen=True, slots=True)
class Publication:
    """What is served from now on.

    Attributes:
        directories: signed directories by configuration name and version.
        parts: contents by location; those of the last generations too.
        signed_at, expires_at: of the directories.
    """

    directories: Mapping[tuple[str, int], bytes]
    parts: Mapping[str, bytes]
    signed_at: datetime
    expires_at: datetime


@dataclass
class Publisher:
    """Signs publications and remembers the last generations of parts."""

    keys: SigningKeys
    generations: list[Generation] = field(default_factory=list)

    def prepare(self, content: Content, versions: Sequence[int], at: datetime) -> Generation:
        """Write the parts of a content; blocks for large instances, changes nothing.

        Raises:
            ValueError: the content cannot be written.
        """
        stamp = f"{at.astimezone(UTC):%Y%m%d%H%M%S}{at.microsecond * 1000:09d}"
        return {version: _parts(content, version, f"/V{version}/{stamp}") for version in versions}

    def accept(self, generation: Generation) -> bool:
        """Make prepared parts the current ones, unless the current ones have the same contents; tell whether it did."""
        if self.generations and _contents(self.generations[-1]) == _contents(generation):
            return False
        self.generations = [*self.generations, generation][-KEPT_GENERATIONS:]
        return True

    async def sign(self, instance: str, at: datetime, validity: timedelta) -> Publication:
        """Sign directories of the current parts."""
        expires_at = at + validity
        directories: dict[tuple[str, int], bytes] = {}
        for version, parts in self.generations[-1].items():
            external = [part for part in parts if part.content_identifier == SHARED_PARAMETERS]
            for name, key, listed in ((INTERNAL, self.keys.internal, parts), (EXTERNAL, self.keys.external, external)):
                directories[f"{name}conf", version] = await _signed(key, listed, instance, version, expires_at)
        parts_by_location = {
            part.location: part.content
            for generation in self.generations
            for parts in generation.values()
            for part in parts
        }
        return Publication(MappingProxyType(directories), MappingProxyType(parts_by_location), at, expires_at)


async def _signed(
    key: SigningKey, parts: Sequence[NewPart], instance: str, version: int, expires_at: datetime
) -> bytes:
    unsigned = build_directory(parts, instance=instance, version=version, expires_at=expires_at)
    return unsigned.complete(await key.sign(unsigned.data_to_sign), key.algorithm, key.certificate)


def _parts(content: Content, version: int, prefix: str) -> Sequence[NewPart]:
    return (
        NewPart(SHARED_PARAMETERS, f"{prefix}/shared-params.xml", build_shared(content.shared, version)),
        NewPart(PRIVATE_PARAMETERS, f"{prefix}/private-params.xml", build_private(content.private, version)),
    )


def _contents(generation: Generation) -> Mapping[int, Sequence[bytes]]:
    return {version: [part.content for part in parts] for version, parts in generation.items()}
