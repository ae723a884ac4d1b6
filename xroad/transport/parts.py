"""What a message between two security servers is made of: part types, transport headers, limits, and decoded parts.

It refuses to know the order of the parts and how they are framed: that is in the encoder and the decoder beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from xroad import mime

# HTTP headers around the message (PR-MESSTRANSP 3.2, step 4a), in the case in which X-Road writes them.
HASH_ALGORITHM_HEADER: Final = "x-hash-algorithm"
PROXY_VERSION_HEADER: Final = "x-proxy-version"
MESSAGE_TYPE_HEADER: Final = "x-road-message-type"
ORIGINAL_CONTENT_TYPE_HEADER: Final = "x-original-content-type"
REQUEST_ID_HEADER: Final = "x-road-request-id"
HASH_ALGORITHM: Final = "SHA-512"
MESSAGE_TYPE_REST: Final = "REST"

# Content types of the parts (PR-MESSTRANSP 3.1).
MULTIPART: Final = "multipart/mixed"
OCSP: Final = "application/ocsp-response"
REST_REQUEST: Final = "application/x-road-rest-request"
REST_RESPONSE: Final = "application/x-road-rest-response"
REST_BODY: Final = "application/x-road-rest-body"
TEXT_XML: Final = "text/xml"
XOP_XML: Final = "application/xop+xml"
HASH_CHAIN_RESULT: Final = "application/hash-chain-result"
HASH_CHAIN: Final = "application/hash-chain"
SIGNATURE: Final = "signature/bdoc-1.0/ts"
FAULT: Final = "text/xml; charset=UTF-8"

Role = Literal["request", "response"]
Protocol = Literal["rest", "soap"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may send, in bytes of each part and in number of OCSP responses.

    Everything but bodies is held in memory, so a peer could fill it: each limit is some ten times what X-Road sends.
    """

    ocsp_responses: int = 16
    ocsp_response: int = 64 * 1024
    rest_head: int = 128 * 1024
    soap: int = 4 * 1024 * 1024
    hash_chain: int = 1024 * 1024
    signature: int = 1024 * 1024
    fault: int = 256 * 1024
    part_headers: int = mime.MAX_PART_HEADER_BYTES
    body: int = 64 * 1024**3  # streamed to disk, whose space is the real limit


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class OcspPart:
    """One DER OCSP response of the sender's authentication certificate chain."""

    data: bytes


@dataclass(frozen=True, slots=True)
class RestHead:
    """The head part of a REST message: the exact bytes that are signed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class BodyStart:
    """There is a body part, even if it turns out to be empty: its digest is signed."""


@dataclass(frozen=True, slots=True)
class BodyChunk:
    """A piece of the body."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SoapPart:
    """A SOAP message, not read here."""

    data: bytes
    content_type: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AttachmentsStart:
    """A nested multipart with a SOAP message's attachments follows."""

    content_type: str


@dataclass(frozen=True, slots=True)
class AttachmentsChunk:
    """A piece of the nested multipart, framing included."""

    data: bytes


@dataclass(frozen=True, slots=True)
class HashChainResult:
    """The hash chain result that a batch signature signs."""

    data: bytes


@dataclass(frozen=True, slots=True)
class HashChain:
    """The hash chain from the message's parts to the result."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Signature:
    """The signature document."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault in place of the rest of the message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The message is complete, and in order."""


Event = (
    OcspPart
    | RestHead
    | BodyStart
    | BodyChunk
    | SoapPart
    | AttachmentsStart
    | AttachmentsChunk
    | HashChainResult
    | HashChain
    | Signature
    | Fault
    | End
)
