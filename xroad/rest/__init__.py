"""The REST message protocol (PR-REST): requests and responses between HTTP and the signed head part of a message.

It refuses to know sockets, bodies, signatures and who may call what.
Both ends of both pipelines use it: the consumer makes requests and reads responses, the provider the other way round.
"""

from xroad.rest.faults import ErrorResponse, error_response
from xroad.rest.headers import MAX_HEAD_BYTES, MAX_HEADERS, Header, Headers
from xroad.rest.request import MAX_QUERY_ID, VERBS, RepresentedParty, RestRequest
from xroad.rest.response import RestResponse, request_hash, request_hash_of
from xroad.rest.target import MAX_TARGET_CHARACTERS

__all__ = [
    "MAX_HEADERS",
    "MAX_HEAD_BYTES",
    "MAX_QUERY_ID",
    "MAX_TARGET_CHARACTERS",
    "VERBS",
    "ErrorResponse",
    "Header",
    "Headers",
    "RepresentedParty",
    "RestRequest",
    "RestResponse",
    "error_response",
    "request_hash",
    "request_hash_of",
]
