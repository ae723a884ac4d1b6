"""What the provider's pipeline holds after each of its steps, as types: a step out of order does not type-check.

It refuses to do anything. ``provider`` makes each value in one step and takes it in the next.
"""

from typing import NamedTuple

from securityserver.messagelog import Body
from securityserver.messages import Message, MessageHead, MessageReader
from securityserver.serverconf import Service
from xroad.certificates import AuthCertificate
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.identifiers import SecurityServerId
from xroad.rest import RestRequest, RestResponse


class Received(NamedTuple):
    """Step 6: a message has begun; nothing of it is believed."""

    reader: MessageReader
    peer: bytes
    direct_references: bool


class Opened(NamedTuple):
    """Step 6: the message's head can be read."""

    received: Received
    head: MessageHead
    request: RestRequest


class Peer(NamedTuple):
    """The server that sent the message: its certificate held, and it may speak for the client."""

    certificate: AuthCertificate
    server: SecurityServerId


class Admitted(NamedTuple):
    """Step 6: the sending server may speak for the client, and the provider is one of ours."""

    opened: Opened
    peer: Peer
    trust: TrustSnapshot


class Held(NamedTuple):
    """Step 6: the whole message is here."""

    admitted: Admitted
    message: Message


class Verified(NamedTuple):
    """Step 6: the message is the client's, unaltered."""

    request: RestRequest
    message: Message
    trust: TrustSnapshot
    direct_references: bool


class Authorized(NamedTuple):
    """Step 6: the client may call the service."""

    verified: Verified
    service: Service


class Logged(NamedTuple):
    """Step 6, its end: the request is durable, so that the service may have it."""

    authorized: Authorized


class Served(NamedTuple):
    """Step 7: what the service answered, bound to the request."""

    verified: Verified
    response: RestResponse
    body: Body | None


class Signed(NamedTuple):
    """Step 8: the answer, signed."""

    request: RestRequest
    message: Message


class Releasable(NamedTuple):
    """Step 8: the answer is durable, so that it may leave."""

    message: Message
