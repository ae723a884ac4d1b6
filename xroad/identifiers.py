"""The names of members, subsystems, services, servers and groups, and what characters they may hold.

It refuses to know who is registered: that is in the trust snapshot.
Every other module names parties with these values; an identifier that breaks the rules cannot exist.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self
from urllib.parse import quote

from xroad.errors import InvalidClientIdentifier

# PR-MESS 2.1 and the database of the reference: no part is longer.
MAX_PART_LENGTH = 255

# PR-REST 4.8 asks for letters, digits and '()+,-.=? only; instances in service also have spaces, underscores and their
# own script, and the reference warns instead of refusing. So these are refused here, whoever names them: characters
# that make a path, a log line or an encoded identifier mean something else (control, % : ; / \, zero-width).
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f%:;/\\\\\u200b\ufeff\ud800-\udfff]")
_DOT_SEGMENTS = frozenset({".", ".."})

# RFC 3986 section 3.3: a segment's own characters; anything else must come percent-encoded.
_SEGMENT = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*\Z")
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
# The characters that the reference leaves bare when it writes an identifier into a header.
_BARE = "-._~!$'()*,;&=@:+"

_MEMBER_PARTS = 3
_SUBSYSTEM_PARTS = 4


def decode_segment(segment: str) -> str:
    """Percent-decode one path segment (RFC 3986; the bytes must be UTF-8).

    Raises:
        InvalidClientIdentifier: bad or incomplete encoding, bytes that are not UTF-8, or a bare forbidden character.
    """
    if not _SEGMENT.match(segment):
        raise InvalidClientIdentifier(
            "An identifier has a character that must be percent-encoded, or a broken percent encoding; "
            "encode each part of the identifier on its own, as UTF-8."
        )
    if "%" not in segment:
        return segment
    raw = _ENCODED.sub(lambda found: bytes((int(found[1], 16),)), segment.encode("ascii"))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidClientIdentifier(
            "A percent-encoded identifier is not UTF-8; encode each part of the identifier as UTF-8."
        ) from error


@lru_cache(maxsize=4096)
def encode_segment(part: str) -> str:
    """Percent-encode one part as the reference writes it into `x-road-client` and `x-road-service`."""
    return quote(part, safe=_BARE)


@lru_cache(maxsize=16384)  # the same few thousand names come in every message
def check_part(part: str, name: str) -> None:
    """Refuse a part of an identifier that is empty, too long, or could be read as something else.

    Raises:
        InvalidClientIdentifier: the part breaks a rule; the detail names the part, never its value.
    """
    if not part:
        raise InvalidClientIdentifier(f"The {name} of an identifier is empty; give it a value.")
    if len(part) > MAX_PART_LENGTH:
        raise InvalidClientIdentifier(f"The {name} of an identifier is longer than {MAX_PART_LENGTH} characters.")
    if part in _DOT_SEGMENTS or _FORBIDDEN.search(part):
        raise InvalidClientIdentifier(
            f"The {name} of an identifier has a forbidden character (control, zero-width, % : ; / \\) or is a dot "
            "segment; use letters, digits and '()+,-.=? only."
        )


@lru_cache(maxsize=16384)  # each is written several times in every message that names it
def _join(*parts: str | None) -> str:
    return "/".join(encode_segment(part) for part in parts if part is not None)


@lru_cache(maxsize=4096)
def _split(text: str, least: int, most: int, shape: str) -> tuple[str, ...]:
    parts = text.split("/", most)
    if not least <= len(parts) <= most:
        raise InvalidClientIdentifier(f"An identifier has the wrong number of parts; write it as {shape}.")
    return tuple(decode_segment(part) for part in parts)


@dataclass(frozen=True, slots=True)
class ClientId:
    """A member, or one of its subsystems (`subsystem_code`)."""

    instance: str
    member_class: str
    member_code: str
    subsystem_code: str | None = None

    def __post_init__(self) -> None:
        check_part(self.instance, "instance")
        check_part(self.member_class, "member class")
        check_part(self.member_code, "member code")
        if self.subsystem_code is not None:
            check_part(self.subsystem_code, "subsystem code")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `instance/class/member[/subsystem]`, percent-encoded (PR-REST 4.3).

        Raises:
            InvalidClientIdentifier: the text is not such an identifier.
        """
        return cls(*_split(text, _MEMBER_PARTS, _SUBSYSTEM_PARTS, "INSTANCE/CLASS/MEMBER[/SUBSYSTEM]"))

    @property
    def member(self) -> "ClientId":
        """The member itself."""
        return self if self.subsystem_code is None else ClientId(self.instance, self.member_class, self.member_code)

    def __str__(self) -> str:
        return _join(self.instance, self.member_class, self.member_code, self.subsystem_code)

    def __lt__(self, other: "ClientId") -> bool:
        return _sort_key(self) < _sort_key(other)


def _sort_key(client: ClientId) -> tuple[str, str, str, str]:
    return client.instance, client.member_class, client.member_code, client.subsystem_code or ""


@dataclass(frozen=True, slots=True)
class ServiceId:
    """A service of a client; REST services have no version."""

    client: ClientId
    service_code: str
    service_version: str | None = None

    def __post_init__(self) -> None:
        check_part(self.service_code, "service code")
        if self.service_version is not None:
            check_part(self.service_version, "service version")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `instance/class/member[/subsystem]/service`, percent-encoded (PR-REST 4.1).

        Raises:
            InvalidClientIdentifier: the text is not such an identifier.
        """
        *client, service_code = _split(
            text, _MEMBER_PARTS + 1, _SUBSYSTEM_PARTS + 1, "INSTANCE/CLASS/MEMBER[/SUBSYSTEM]/SERVICE"
        )
        return cls(ClientId(*client), service_code)

    def __str__(self) -> str:
        return f"{self.client}/{_join(self.service_code, self.service_version)}"

    def __lt__(self, other: "ServiceId") -> bool:
        return (self.client, self.service_code, self.service_version or "") < (
            other.client,
            other.service_code,
            other.service_version or "",
        )


@dataclass(frozen=True, slots=True, order=True)
class SecurityServerId:
    """A security server, named below its owner."""

    instance: str
    member_class: str
    member_code: str
    server_code: str

    def __post_init__(self) -> None:
        check_part(self.instance, "instance")
        check_part(self.member_class, "member class")
        check_part(self.member_code, "member code")
        check_part(self.server_code, "server code")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `instance/class/member/server`, percent-encoded (PR-REST 4.3).

        Raises:
            InvalidClientIdentifier: the text is not such an identifier.
        """
        return cls(*_split(text, _SUBSYSTEM_PARTS, _SUBSYSTEM_PARTS, "INSTANCE/CLASS/MEMBER/SERVER"))

    @property
    def owner(self) -> ClientId:
        """The member that owns the server."""
        return ClientId(self.instance, self.member_class, self.member_code)

    def __str__(self) -> str:
        return _join(self.instance, self.member_class, self.member_code, self.server_code)


@dataclass(frozen=True, slots=True, order=True)
class GlobalGroupId:
    """A group of clients that the governing authority keeps."""

    instance: str
    group_code: str

    def __post_init__(self) -> None:
        check_part(self.instance, "instance")
        check_part(self.group_code, "group code")

    def __str__(self) -> str:
        return _join(self.instance, self.group_code)


@dataclass(frozen=True, slots=True, order=True)
class LocalGroupId:
    """A group of clients that a member keeps for its own services."""

    group_code: str

    def __post_init__(self) -> None:
        check_part(self.group_code, "group code")

    def __str__(self) -> str:
        return encode_segment(self.group_code)
