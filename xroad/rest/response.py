"""A REST response: made from a service's HTTP answer, or read from the head part that the provider's server signed.

It refuses to know bodies and signatures.
The provider binds it to the request with the request hash and signs `head`; the consumer checks that bond.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final, NamedTuple, Self

from xroad.errors import InconsistentResponse, InvalidClientIdentifier, InvalidResponse, InvalidRest, ProtocolViolation
from xroad.identifiers import ClientId, ServiceId
from xroad.rest import headers as names
from xroad.rest.headers import Header, Headers
from xroad.rest.request import RestRequest

# PR-REST 4.3: set by the provider's security server. X-Road-Error is dropped: a service that sends it would pass its
# own answer off as a refusal by the bus.
_SET_ANEW: Final = frozenset(
    {names.QUERY_ID, names.CLIENT, names.SERVICE, names.REQUEST_ID, names.REQUEST_HASH, names.ERROR}
)
# No 1xx: none of them is an answer, and after 101 the two sides would no longer agree on what the bytes are.
_STATUS = re.compile(r"[2-5][0-9]{2}\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def request_hash(head: bytes, body_digest: bytes | None) -> bytes:
    """Return what `X-Road-Request-Hash` holds in base 64 (PR-REST 4.3).

    SHA-512 of the request's head part; with a body part, even an empty one, SHA-512 of that digest and the body's.

    Args:
        head: the head part's bytes.
        body_digest: SHA-512 of the body part, or None when the message has no body part.
    """
    return request_hash_of(hashlib.sha512(head).digest(), body_digest)


def request_hash_of(head_digest: bytes, body_digest: bytes | None = None) -> bytes:
    """As `request_hash`, for who has the head part's SHA-512 already."""
    return head_digest if body_digest is None else hashlib.sha512(head_digest + body_digest).digest()


class RestResponse(NamedTuple):
    """A response; `head` is the exact bytes that are signed, everything else is what they say."""

    status: int
    reason: str
    headers: Headers
    client: ClientId
    service: ServiceId
    query_id: str
    request_id: str
    request_hash: bytes
    head: bytes

    @classmethod
    def for_request(
        cls, request: RestRequest, status: int, reason: str, headers: Sequence[Header], request_hash: bytes
    ) -> Self:
        """Make the response that crosses the bus out of a service's answer.

        Raises:
            InvalidResponse: the answer's status or headers cannot be carried.
        """
        if not _STATUS.match(str(status)) or _CONTROL.search(reason):
            raise InvalidResponse("The service's answer has an invalid status line; the service must be corrected.")
        own = (
            (names.QUERY_ID, request.query_id),
            (names.CLIENT, str(request.client)),
            (names.SERVICE, str(request.service)),
            (names.REQUEST_ID, request.request_id),
            (names.REQUEST_HASH, base64.b64encode(request_hash).decode("ascii")),
        )
        reason = names.as_text(reason)
        try:
            kept = (*names.filtered(headers, _SET_ANEW), *own)
            head = names.write_head(str(status), reason, kept)
        except ProtocolViolation as error:
            raise InvalidResponse(f"The service's answer cannot be carried: {error.detail}") from error
        return cls(
            status=status,
            reason=reason,
            headers=kept,
            client=request.client,
            service=request.service,
            query_id=request.query_id,
            request_id=request.request_id,
            request_hash=request_hash,
            head=head,
        )

    @classmethod
    def from_head(cls, head: bytes) -> Self:
        """Read the head part of a peer's response (PR-MESSTRANSP 3.1).

        Raises:
            InvalidRest: it is malformed, or lacks one of the headers that bind it to a request.
        """
        status, reason, headers = names.read_head(head)
        if not _STATUS.match(status):
            raise InvalidRest("A REST response part has an invalid status; send three digits.")
        found = {name.lower(): value for name, value in headers}
        try:
            client, service = ClientId.parse(found[names.CLIENT]), ServiceId.parse(found[names.SERVICE])
            return cls(
                status=int(status),
                reason=reason,
                headers=headers,
                client=client,
                service=service,
                query_id=found[names.QUERY_ID],
                request_id=found[names.REQUEST_ID],
                request_hash=base64.b64decode(found[names.REQUEST_HASH], validate=True),
                head=head,
            )
        except KeyError as error:
            raise InvalidRest(f"A REST response part lacks the header {error.args[0]}; send it.") from error
        except (InvalidClientIdentifier, binascii.Error, ValueError) as error:
            raise InvalidRest("A REST response part has a malformed X-Road header; send it as PR-REST says.") from error

    def head_bytes(self) -> bytes:
        """Return the exact bytes of the signed head part."""
        return self.head

    def check_answers(self, request: RestRequest, expected_hash: bytes) -> None:
        """Hold that this response answers that request: a validly signed answer to another one is refused.

        Args:
            request: what this server sent.
            expected_hash: `request_hash` of what this server sent.

        Raises:
            InconsistentResponse: an identifier or the request hash is another one.
        """
        pairs: tuple[tuple[str, object, object], ...] = (
            ("client", self.client, request.client),
            ("message id", self.query_id, request.query_id),
            ("service", self.service, request.service),
            ("request id", self.request_id, request.request_id),
        )
        for name, mine, theirs in pairs:
            if mine != theirs:
                raise InconsistentResponse(f"The response's {name} is not that of the request; send the request again.")
        if not hmac.compare_digest(self.request_hash, expected_hash):
            raise InconsistentResponse("The response was signed for another request; send the request again.")
