"""How a service of the bus is named in messages and tables, and where a security server serves it.

It refuses any other address: an answer that went to a bare URL of the Internet would leave without signature and log.
"""

from dataclasses import dataclass
from typing import Final, Self

from xroad.errors import XRoadError
from xroad.identifiers import ClientId, check_part, decode_segment, encode_segment

SCHEME: Final = "xroad:"
_SHAPE: Final = "write it as xroad:INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE"


class BadAddress(ValueError):  # noqa: N818  # what is wrong, for whoever wrote the address
    """The text names no service of the bus; the message says how one is written."""


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """A service of a subsystem."""

    client: ClientId
    service: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` writes, with or without the scheme in front; raises :class:`BadAddress`."""
        owner, slash, service = text.removeprefix(SCHEME).rpartition("/")
        try:
            client, name = ClientId.parse(owner), decode_segment(service)
            check_part(name, "service code")
        except XRoadError as error:
            raise BadAddress(f"{error}; {_SHAPE}") from error
        if not slash or client.subsystem_code is None:
            raise BadAddress(f"A service belongs to a subsystem; {_SHAPE}.")
        return cls(client, name)

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """Read a ``sender_uri``; raises :class:`BadAddress`."""
        if not uri.startswith(SCHEME):
            raise BadAddress(f"This is no service of the bus; {_SHAPE}.")
        return cls.parse(uri)

    def __str__(self) -> str:
        return f"{self.client}/{encode_segment(self.service)}"

    @property
    def uri(self) -> str:
        """What a ``sender_uri`` says."""
        return f"{SCHEME}{self}"

    @property
    def path(self) -> str:
        """Where a security server's client port serves it (PR-REST 4.2)."""
        return f"/r1/{self}"
