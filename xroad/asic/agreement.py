"""Holds containers of one exchange against each other: both sides', request and response.

It refuses to judge containers: only traces of verified ones come in here, small enough to pass between processes.
Each side logs the same signed octets, so two honest containers of one message differ in their time-stamps and nothing
else; and a response carries the hash of the request that it answers.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from xroad.asic import names
from xroad.asic.verification import VerifiedContainer
from xroad.evidence import Direction
from xroad.rest import RestResponse, request_hash

ExchangeKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Trace:
    """What of a verified container is compared.

    Args:
        exchange: what the containers of one exchange have in common: the request id (in SOAP the message id), client
            and service.
        direction: which half of the exchange.
        query_id: the message id.
        parts: SHA-512 by name of what was signed.
        value: the signature's value.
        request_hash: of a REST request its hash, of a REST response the hash that it answers to; None for SOAP.
    """

    exchange: ExchangeKey
    direction: Direction
    query_id: str
    parts: tuple[tuple[str, bytes], ...]
    value: bytes
    request_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared of one exchange, and in which points the containers differ; none means that they agree."""

    requests: int
    responses: int
    differences: tuple[str, ...]


def trace_of(container: VerifiedContainer) -> Trace:
    """Return the trace of a verified container."""
    message = container.message
    return Trace(
        exchange=(message.request_id or message.query_id, str(message.client), str(message.service)),
        direction=message.direction,
        query_id=message.query_id,
        parts=tuple(sorted(container.digests.items())),
        value=container.signature.value,
        request_hash=_request_hash(container),
    )


def compare(traces: Sequence[Trace]) -> Comparison:
    """Compare the containers of one exchange, in any order and from any side."""
    requests = [each for each in traces if each.direction is Direction.REQUEST]
    responses = [each for each in traces if each.direction is Direction.RESPONSE]
    differences = [
        f"{direction}: {what}"
        for direction, group in (("request", requests), ("response", responses))
        for one, other in pairwise(group)
        for what in _differences(one, other)
    ]
    if requests:
        differences += [each for response in responses for each in _unanswered(requests[0], response)]
    return Comparison(len(requests), len(responses), tuple(dict.fromkeys(differences)))


def _differences(one: Trace, other: Trace) -> list[str]:
    mine, theirs = dict(one.parts), dict(other.parts)
    found = [
        f"{name} differs"
        for name in sorted(mine.keys() & theirs.keys())
        if not hmac.compare_digest(mine[name], theirs[name])
    ]
    # A side that does not log bodies has the same signature, which speaks for the body.
    if not hmac.compare_digest(one.value, other.value):
        found.append("the signatures differ")
    return found


def _unanswered(request: Trace, response: Trace) -> list[str]:
    found = []
    if request.query_id != response.query_id:
        found.append("response: its message id is not the request's")
    if not hmac.compare_digest(request.request_hash or b"", response.request_hash or b""):
        found.append("response: it was signed for another request")
    return found


def _request_hash(container: VerifiedContainer) -> bytes | None:
    message = container.message.rest
    if message is None:
        return None
    if isinstance(message, RestResponse):
        return message.request_hash
    body = f"{names.ATTACHMENT}1"
    return request_hash(message.head, container.digests.get(body) or container.left_out.get(body))
