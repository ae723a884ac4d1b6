"""The OCSP relay: hands other security servers the OCSP responses of this server's authentication certificate.

It refuses to know where responses come from and any certificate that is not its own. Consumers ask it before they
send their first request (PR-MESSTRANSP 2.2).
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from aiohttp import web

from securityserver.relay_client import REFERENCES_DIRECT, REFERENCES_FIELD
from serverkit.logs import get_logger

log = get_logger("ocsprelay")

# A chain has a few certificates; more in one question is not a question.
CERTIFICATES: Final = 16
MEDIA_TYPE: Final = "application/ocsp-response"


class OcspRelay:
    """Answers ``GET /?cert=<SHA-1 in hexadecimal>&cert=…``; HEAD tells that the relay lives.

    Args:
        responses: gives the usable responses by the name of their certificate.
        direct: tells whether requests may come with direct references.
    """

    def __init__(self, responses: Callable[[], Mapping[str, bytes]], direct: Callable[[], bool]) -> None:
        self._responses, self._direct = responses, direct

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """Answer one question; the reference says 500 when it cannot, and so does this."""
        if http.method == "HEAD":
            return web.Response(status=200)
        if http.method != "GET":
            return web.Response(status=500, text="The OCSP relay answers GET.")
        names = [name.lower() for name in parse_qs(http.raw_path.partition("?")[2]).get("cert", ())]
        if not 0 < len(names) <= CERTIFICATES:
            return web.Response(
                status=500, text=f"Ask for 1 to {CERTIFICATES} certificates with ?cert=<SHA-1 hexadecimal>."
            )
        known = self._responses()
        missing = [name for name in names if name not in known]
        if missing:
            log.warning("ocsp_relay_has_none", asked=len(names), missing=len(missing))
            return web.Response(status=500, text="There is no OCSP response for a certificate that was asked for.")
        return _multipart([known[name] for name in names], direct=self._direct())

    def unreadable(self, reason: str) -> web.StreamResponse:
        """Answer what is no HTTP request."""
        log.warning("ocsp_relay_unreadable_request", reason=reason)
        return web.Response(status=500, text="This is no HTTP request.")


def _multipart(responses: Sequence[bytes], *, direct: bool) -> web.Response:
    boundary = f"xocsp{secrets.token_hex(15)}"
    parts = [
        f"--{boundary}\r\nContent-Type: {MEDIA_TYPE}\r\n\r\n".encode() + response + b"\r\n" for response in responses
    ]
    media_type = f"multipart/related; charset=UTF-8; boundary={boundary}"
    headers = {"Content-Type": media_type} | ({REFERENCES_FIELD: REFERENCES_DIRECT} if direct else {})
    return web.Response(body=b"".join(parts) + f"--{boundary}--\r\n".encode(), headers=headers)
