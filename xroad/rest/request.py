"""A REST request: made from a programme's HTTP request, or read from the head part that its security server signed.

It refuses to know bodies, signatures and who is registered.
The consumer makes it in its first step and signs `head`; the provider reads it out of the message and believes it only
after the signature over those very bytes is verified.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from xroad.errors import (
    BadRequest,
    InvalidClientIdentifier,
    InvalidHttpMethod,
    InvalidRequest,
    InvalidRest,
    ProtocolViolation,
)
from xroad.identifiers import ClientId, SecurityServerId, ServiceId, check_part, decode_segment, encode_segment
from xroad.rest import headers as names
from xroad.rest import target as targets
from xroad.rest.headers import Header, Headers

VERBS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})

# The message log's column in the reference; PR-REST recommends a UUID.
MAX_QUERY_ID: Final = 255

_SET_ANEW: Final = frozenset({names.REQUEST_ID, names.REQUEST_HASH})
_CLASS_AND_CODE: Final = 2


@dataclass(frozen=True, slots=True)
class RepresentedParty:
    """The third party for whom the client asks (`X-Road-Represented-Party`)."""

    party_class: str | None
    party_code: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `[class/]code`, percent-encoded (PR-REST 4.3).

        Raises:
            InvalidClientIdentifier: the text is not such an identifier.
        """
        parts = [decode_segment(part) for part in text.split("/", _CLASS_AND_CODE)]
        if len(parts) > _CLASS_AND_CODE:
            raise InvalidClientIdentifier("A represented party has too many parts; write [CLASS/]CODE.")
        for part in parts:
            check_part(part, "represented party")
        return cls(parts[0] if len(parts) == _CLASS_AND_CODE else None, parts[-1])

    def __str__(self) -> str:
        return "/".join(encode_segment(part) for part in (self.party_class, self.party_code) if part is not None)


class RestRequest(NamedTuple):
    """A request; `head` is the exact bytes that are signed, everything else is what they say.

    `path`, `query` and `service_path` are raw; `query` is None without `?`; `service_path` is empty or starts with `/`.
    """

    verb: str
    path: str
    query: str | None
    headers: Headers
    service: ServiceId
    service_path: str
    client: ClientId
    query_id: str
    request_id: str
    user_id: str | None
    issue: str | None
    represented_party: RepresentedParty | None
    target_server: SecurityServerId | None
    head: bytes

    @classmethod
    def from_http(
        cls, method: str, raw_target: str, headers: Sequence[Header], *, request_id: str, default_query_id: str
    ) -> Self:
        """Make the request that crosses the bus out of an HTTP request (PR-REST 4.1 to 4.3).

        Args:
            method: the HTTP verb.
            raw_target: the target as it stands in the request line, in origin or absolute form.
            headers: all headers in their order, duplicates included.
            request_id: a new UUID of this exchange.
            default_query_id: the message's id if the programme gives none: `{instance}-{uuid}` in the reference.

        Raises:
            InvalidHttpMethod, BadRequest, InvalidRequest, InvalidClientIdentifier, DuplicateHeaderField: as the rule
                broken; all of them are HTTP 400.
        """
        if method == "CONNECT":
            raise InvalidHttpMethod(
                "A security server is no HTTPS proxy: ask for the address of the service with http:// "
                "(a client that uses it as its proxy), or call the security server's own HTTPS port."
            )
        if method not in VERBS:
            raise InvalidHttpMethod(
                f"The HTTP method is not one that X-Road carries; use one of {', '.join(sorted(VERBS))}."
            )
        target = targets.parse(targets.origin_form(raw_target))
        kept = names.filtered(headers, _SET_ANEW)
        kept.append((names.REQUEST_ID, request_id))
        if names.find(kept, names.QUERY_ID) is None:
            kept.append((names.QUERY_ID, default_query_id))
        return cls._build(method, target, tuple(kept), None)

    @classmethod
    def from_head(cls, head: bytes) -> Self:
        """Read the head part of a peer's request (PR-MESSTRANSP 3.1).

        Raises:
            InvalidRest: it breaks any rule that a request of a programme must keep.
        """
        verb, raw_target, headers = names.read_head(head)
        if verb not in VERBS:
            raise InvalidRest("A REST request part has an unknown verb; send one that X-Road carries.")
        if not raw_target.startswith("/") or raw_target.startswith("//"):
            raise InvalidRest("A REST request part's target is not a path; send it in origin form.")
        try:
            return cls._build(verb, targets.parse(targets.origin_form(raw_target)), headers, head)
        except ProtocolViolation as error:
            raise InvalidRest(f"A REST request part cannot be read: {error.detail}") from error

    @classmethod
    def _build(cls, verb: str, target: targets.Target, headers: Headers, head: bytes | None) -> Self:
        found = {name.lower(): value for name, value in headers}
        line = target.path if target.query is None else f"{target.path}?{target.query}"
        party, server = found.get(names.REPRESENTED_PARTY), found.get(names.SECURITY_SERVER)
        return cls(
            verb=verb,
            path=target.path,
            query=target.query,
            headers=headers,
            service=target.service,
            service_path=target.service_path,
            client=_client(found.get(names.CLIENT)),
            query_id=_message_id(found, names.QUERY_ID),
            request_id=_message_id(found, names.REQUEST_ID),
            user_id=found.get(names.USER_ID),
            issue=found.get(names.ISSUE),
            represented_party=None if party is None else RepresentedParty.parse(party),
            target_server=None if server is None else SecurityServerId.parse(server),
            head=names.write_head(verb, line, headers) if head is None else head,
        )

    def head_bytes(self) -> bytes:
        """Return the exact bytes of the signed head part."""
        return self.head

    @property
    def decoded_service_path(self) -> str:
        """The service path, wholly decoded: match access rights on paths against this one."""
        return targets.decoded_service_path(self.service_path)


def _client(value: str | None) -> ClientId:
    if value is None:
        raise InvalidClientIdentifier(
            "The header X-Road-Client is missing; name the subsystem that asks: INSTANCE/CLASS/MEMBER/SUBSYSTEM."
        )
    return ClientId.parse(value)


def _message_id(found: dict[str, str], name: str) -> str:
    value = found.get(name)
    if value is None:
        raise BadRequest(f"The header {name} is missing; send it.")
    if not value.strip() or len(value) > MAX_QUERY_ID:
        raise InvalidRequest(f"The header {name} is empty or longer than {MAX_QUERY_ID} characters; send a UUID.")
    return value
