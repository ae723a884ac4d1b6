"""What the consumer's pipeline holds after each of its steps, as types: a step out of order does not type-check.

It refuses to do anything. ``consumer`` makes each value in one step and takes it in the next.
"""

from typing import NamedTuple

from securityserver.incoming import Caller
from securityserver.messagelog import Body
from securityserver.messages import Message
from securityserver.peers import Route
from securityserver.serverconf import Client
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.rest import RestRequest, RestResponse


class Received(NamedTuple):
    """Step 1: the request's head, and who sent it by what kind of connection."""

    request: RestRequest
    caller: Caller


class Known(NamedTuple):
    """Step 2: the client is one of ours and came the way it is registered with."""

    request: RestRequest
    client: Client


class Routed(NamedTuple):
    """Step 3: where the provider's servers are."""

    request: RestRequest
    route: Route


class Held(NamedTuple):
    """Step 3, its end: the whole request is here."""

    request: RestRequest
    body: Body | None
    trust: TrustSnapshot


class Signed(NamedTuple):
    """Step 4: the request, signed, and the OCSP responses that go with it."""

    request: RestRequest
    message: Message
    ocsp: tuple[bytes, ...]
    trust: TrustSnapshot


class Logged(NamedTuple):
    """Step 5, first half: the signed request is durable, so that it may leave."""

    signed: Signed


class Answered(NamedTuple):
    """Step 9: what came back, decoded and not yet believed."""

    signed: Signed
    answer: Message


class Verified(NamedTuple):
    """Step 10: the answer is the provider's, unaltered, and to this request."""

    request: RestRequest
    response: RestResponse
    answer: Message


class Releasable(NamedTuple):
    """Step 11: the answer is durable, so that the backend may have it."""

    response: RestResponse
    body: Body | None
