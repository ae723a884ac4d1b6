"""The message between two security servers (PR-MESSTRANSP): written by `Encoder`, read by `Decoder`, without any I/O.

It refuses to know what the parts say: that is for `xroad.rest`, `xroad.soap` and `xroad.xades`.
The consumer and the provider each write one message and read one; neither holds a body in memory here.
"""

from xroad.transport.decoder import Decoder
from xroad.transport.encoder import Encoder, new_boundary
from xroad.transport.parts import (
    DEFAULT_LIMITS,
    HASH_ALGORITHM,
    HASH_ALGORITHM_HEADER,
    MESSAGE_TYPE_HEADER,
    MESSAGE_TYPE_REST,
    ORIGINAL_CONTENT_TYPE_HEADER,
    PROXY_VERSION_HEADER,
    REQUEST_ID_HEADER,
    AttachmentsChunk,
    AttachmentsStart,
    BodyChunk,
    BodyStart,
    End,
    Event,
    Fault,
    HashChain,
    HashChainResult,
    Limits,
    OcspPart,
    Protocol,
    RestHead,
    Role,
    Signature,
    SoapPart,
)

__all__ = [
    "DEFAULT_LIMITS",
    "HASH_ALGORITHM",
    "HASH_ALGORITHM_HEADER",
    "MESSAGE_TYPE_HEADER",
    "MESSAGE_TYPE_REST",
    "ORIGINAL_CONTENT_TYPE_HEADER",
    "PROXY_VERSION_HEADER",
    "REQUEST_ID_HEADER",
    "AttachmentsChunk",
    "AttachmentsStart",
    "BodyChunk",
    "BodyStart",
    "Decoder",
    "Encoder",
    "End",
    "Event",
    "Fault",
    "HashChain",
    "HashChainResult",
    "Limits",
    "OcspPart",
    "Protocol",
    "RestHead",
    "Role",
    "Signature",
    "SoapPart",
    "new_boundary",
]
