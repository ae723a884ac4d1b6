"""Holds containers of one exchange against each other: both sides', request and response.

It refuses to judge containers: only verified ones come in here.
Each side logs the same signed octets, so two honest containers of one message differ in their time-stamps and nothing
else; and a response carries the hash of the request that it answers.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from xroad.asic import names
from xroad.asic.verification import VerifiedContainer
from xroad.errors import InconsistentResponse
from xroad.evidence import Direction
from xroad.rest import RestRequest, RestResponse, request_hash

ExchangeKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared of one exchange, and in which points the containers differ; none means that they agree."""

    requests: int
    responses: int
    differences: tuple[str, ...]


def exchange_of(container: VerifiedContainer) -> ExchangeKey:
    """Return what the containers of one exchange have in common: the request id, in SOAP the message id."""
    message = container.message
    return (message.request_id or message.query_id, str(message.client), str(message.service))


def compare(containers: Sequence[VerifiedContainer]) -> Comparison:
    """Compare the containers of one exchange, in any order and from any side."""
    requests = [each for each in containers if each.message.direction is Direction.REQUEST]
    responses = [each for each in containers if each.message.direction is Direction.RESPONSE]
    differences = [
        f"{direction}: {what}"
        for direction, group in (("request", requests), ("response", responses))
        for one, other in pairwise(group)
        for what in _differences(one, other)
    ]
    if requests and responses:
        differences += [each for response in responses for each in _unanswered(requests[0], response)]
    return Comparison(len(requests), len(responses), tuple(dict.fromkeys(differences)))


def _differences(one: VerifiedContainer, other: VerifiedContainer) -> list[str]:
    mine, theirs = dict(one.signature.parts), dict(other.signature.parts)
    found = [
        f"{name.removeprefix('/')} differs"
        for name in sorted(mine.keys() & theirs.keys())
        if not hmac.compare_digest(mine[name], theirs[name])
    ]
    # A side that does not log bodies has the same signature, which speaks for the body.
    if not hmac.compare_digest(one.signature.value, other.signature.value):
        found.append("the signatures differ")
    return found


def _unanswered(request: VerifiedContainer, response: VerifiedContainer) -> list[str]:
    asked, answered = request.message.rest, response.message.rest
    if not isinstance(asked, RestRequest) or not isinstance(answered, RestResponse):
        return []
    try:
        answered.check_answers(asked, _request_hash(request))
    except InconsistentResponse as error:
        return [f"response: {error.detail}"]
    return []


def _request_hash(request: VerifiedContainer) -> bytes:
    parts = request.signature.parts
    body = parts.get(f"/{names.ATTACHMENT}1") or request.left_out.get(f"{names.ATTACHMENT}1")
    return request_hash(request.message.rest.head if request.message.rest else b"", body)
