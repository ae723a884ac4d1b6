"""Where OCSP responses are kept: the own ones on disk, the peers' in memory.

It refuses to judge a response and to fetch one. ``upkeep`` fills the first store; the part of the security server that
asks peers for theirs fills the second.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from pki import files
from pki.clock import Clock

MOST_PEER_RESPONSES: Final = 4096
"""Some kilobytes each; an instance has hundreds of servers, with two or three certificates in a chain."""

_log = structlog.get_logger(__name__)


class ResponseFiles:
    """One file per certificate, so that a restart during a responder's outage costs nothing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, certificate: x509.Certificate) -> bytes | None:
        """Give what was kept for the certificate, however old; None when there is nothing."""
        try:
            return self._path(certificate).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("ocsp_response_unreadable", path=str(self._path(certificate)), reason=error.strerror)
            return None

    def write(self, certificate: x509.Certificate, response: bytes) -> None:
        """Keep a response; a full disk costs a restart's comfort, not the exchange."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            files.write_atomically(self._path(certificate), response)
        except OSError as error:
            _log.warning("ocsp_response_not_kept", path=str(self._path(certificate)), reason=error.strerror)

    def remove(self, certificate: x509.Certificate) -> None:
        """Forget the response, so that no restart brings it back."""
        self._path(certificate).unlink(missing_ok=True)

    def _path(self, certificate: x509.Certificate) -> Path:
        return self._directory / f"{certificate.fingerprint(hashes.SHA256()).hex()}.ocsp"


@dataclass(frozen=True, slots=True)
class _Kept:
    response: bytes
    usable_until: datetime


class PeerResponses:
    """OCSP responses of other servers' certificates, by whatever key the caller knows the certificate.

    It gives nothing past its limit, and forgets the least recently used first.
    """

    def __init__(self, clock: Clock, max_entries: int = MOST_PEER_RESPONSES) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def get(self, certificate_hash: str) -> bytes | None:
        """Give the response while it is usable, else None."""
        kept = self._kept.get(certificate_hash)
        if kept is None:
            return None
        if self._clock.now() > kept.usable_until:
            del self._kept[certificate_hash]
            return None
        self._kept.move_to_end(certificate_hash)
        return kept.response

    def put(self, certificate_hash: str, response: bytes, usable_until: datetime) -> None:
        """Keep a response that the caller has verified; ``usable_until`` is the verdict's limit."""
        self._kept[certificate_hash] = _Kept(response, usable_until)
        self._kept.move_to_end(certificate_hash)
        while len(self._kept) > self._max_entries:
            self._kept.popitem(last=False)
