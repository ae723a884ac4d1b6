"""The request target `/r1/{service}[/path][?query]`: what it names, and what no target may hold.

It refuses to know verbs, headers and whether the service exists.
The consumer reads it from an HTTP request line, the provider from a signed head: the same rules on both sides.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from xroad.errors import BadRequest, InvalidClientIdentifier, InvalidRequest
from xroad.identifiers import ClientId, ServiceId, decode_segment

# The reference's HTTP server takes 8 KiB of request line and headers together; more belongs into a body (PR-REST 4.2).
MAX_TARGET_CHARACTERS: Final = 8 * 1024

PROTOCOL: Final = "r1"

# RFC 3986 section 3.3 and 3.4. What is not here must be percent-encoded: the reference's provider side parses the
# target strictly and would fail with an internal error. (It lets brackets stand in a query.)
_PATH = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*\Z")
_QUERY = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]|%[0-9A-Fa-f]{2})*\Z")
_ABSOLUTE = re.compile(r"https?://[^/?#@\s]+(?=/)", re.IGNORECASE)
_VERSION = re.compile(r"r[0-9]\Z")
_CONTROL_OR_BACKSLASH = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_DOTS = frozenset({".", ".."})

_AT_MEMBER = 6  # "", r1, instance, class, member, service
_AT_SUBSYSTEM = 7  # and the subsystem before the service
_SHAPE = "/r1/INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE[/path][?query]"


class Target(NamedTuple):
    """A request target taken apart; `path`, `query` and `service_path` are as they came, not decoded."""

    path: str
    query: str | None
    service: ServiceId
    service_path: str


def origin_form(raw_target: str) -> str:
    """Cut scheme and host off an absolute-form target: some clients use the security server as their HTTP proxy.

    Raises:
        InvalidRequest: the target is over its limit.
        BadRequest: it is in no form that names a path here, or hides a host in a path (`//host/…`).
    """
    if len(raw_target) > MAX_TARGET_CHARACTERS:
        raise InvalidRequest(
            f"The request target is longer than {MAX_TARGET_CHARACTERS} characters; send large data in the body."
        )
    absolute = _ABSOLUTE.match(raw_target)
    target = raw_target[absolute.end() :] if absolute else raw_target
    if not target.startswith("/") or target.startswith("//"):
        raise BadRequest(f"The request target is not a path of this server; write {_SHAPE}.")
    return target


def parse(target: str) -> Target:
    """Take an origin-form target apart (PR-REST 4.1, 4.2).

    Raises:
        BadRequest: wrong shape, version, percent-encoding or identifier.
        InvalidRequest: the service path could leave the place that it names.
    """
    path, mark, query = target.partition("?")
    if not _PATH.match(path) or not _QUERY.match(query):
        raise BadRequest(
            "The request target has a broken percent-encoding or a bare special character; percent-encode it."
        )
    pieces = path.split("/", _AT_SUBSYSTEM)
    if len(pieces) < _AT_MEMBER or pieces[0]:
        raise BadRequest(f"The request target has too few parts to name a service; write {_SHAPE}.")
    _check_version(pieces[1])
    service_path = f"/{pieces[_AT_SUBSYSTEM]}" if len(pieces) > _AT_SUBSYSTEM else ""
    if service_path:
        _check_service_path(service_path)
    return Target(path, query if mark else None, _service(*pieces[2:_AT_SUBSYSTEM]), service_path)


def _check_version(piece: str) -> None:
    if piece == PROTOCOL:
        return
    known_form = _VERSION.match(piece) is not None
    raise BadRequest(
        f"The {'version' if known_form else 'start'} of the request target is not supported; write /{PROTOCOL}/ there."
    )


@lru_cache(maxsize=4096)  # an instance has some thousand services; what is refused is not kept
def _service(*segments: str) -> ServiceId:
    try:
        *client, service_code = [decode_segment(segment) for segment in segments]
        return ServiceId(ClientId(*client), service_code)
    except InvalidClientIdentifier as error:
        raise BadRequest(f"The request target names no service: {error.detail}") from error


def decoded_service_path(service_path: str) -> str:
    """Decode a service path wholly: what an access right on a path must be matched against.

    An encoded `/` becomes one: otherwise `/households/1%2Fsecret` would pass as one segment and be served as two.

    Raises:
        BadRequest: its encoded bytes are not UTF-8.
    """
    if "%" not in service_path:
        return service_path
    try:
        return unquote(service_path, encoding="utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise BadRequest("The path after the service is not UTF-8 when decoded; percent-encode it as UTF-8.") from error


def _check_service_path(service_path: str) -> None:
    # Attacks: ../ raw or encoded, ..;/ (path parameters that some servers drop), backslashes that some servers turn,
    # // that some servers fold, and %25 that hides any of them from whoever decodes once. The reference's HTTP server
    # refuses the same; like it, this lets an encoded / stand in a segment.
    decoded = decoded_service_path(service_path)
    if "%" in decoded or _CONTROL_OR_BACKSLASH.search(decoded):
        raise InvalidRequest(
            "The path after the service has an encoded percent sign, backslash or control character; remove it."
        )
    names = [segment.partition(";")[0] for segment in decoded.split("/")]
    if not _DOTS.isdisjoint(names):
        raise InvalidRequest("The path after the service has a dot segment (path traversal); send a normalized path.")
    if any(not name for name in names[1:-1]) or (decoded[-1] != "/" and not names[-1]):
        raise InvalidRequest("The path after the service has an empty segment; send a normalized path.")
