"""The OCSP responder: a request in, a signed answer out (RFC 6960).

It refuses to know HTTP. ``server`` hands it the bytes of a request and the time; it looks the certificate up in the
index and signs with a responder key that the certificate's issuer delegated to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.ocsp import (
    OCSPCertStatus,
    OCSPRequest,
    OCSPRequestBuilder,
    OCSPResponderEncoding,
    OCSPResponse,
    OCSPResponseBuilder,
    OCSPResponseStatus,
    load_der_ocsp_request,
)

from pki.authority.index import Standing
from pki.authority.state import ServiceKey, Services

LONGEST_NONCE: Final = 128
"""Octets, RFC 9654 section 2.1."""

_log = structlog.get_logger(__name__)
_STATUSES: Final[Mapping[bool, OCSPCertStatus]] = {False: OCSPCertStatus.GOOD, True: OCSPCertStatus.REVOKED}


@dataclass(frozen=True, slots=True)
class Responder:
    """The responder of one authority."""

    services: Services

    def answer(self, der: bytes, at: datetime) -> bytes:
        """Answer a request (DER) with a response (DER); a bad request gets an unsigned error response."""
        try:
            request = load_der_ocsp_request(der)
            key = self._responder_for(request)
            nonce = _nonce(request)
            _require_serial(request)
        except (ValueError, NotImplementedError, UnsupportedAlgorithm) as error:
            _log.info("ocsp_request_malformed", reason=str(error))
            return _der(OCSPResponseBuilder.build_unsuccessful(OCSPResponseStatus.MALFORMED_REQUEST))
        if key is None:
            _log.info("ocsp_issuer_unknown", serial=f"{request.serial_number:x}")
            return _der(OCSPResponseBuilder.build_unsuccessful(OCSPResponseStatus.UNAUTHORIZED))
        return _der(self._signed(request, key, nonce, at))

    def _responder_for(self, request: OCSPRequest) -> ServiceKey | None:
        asked = request.issuer_name_hash, request.issuer_key_hash
        keys = self.services.responders
        return next((key for key in keys if _issuer_hashes(key.issuer, request.hash_algorithm) == asked), None)

    def _signed(
        self, request: OCSPRequest, key: ServiceKey, nonce: x509.OCSPNonce | None, at: datetime
    ) -> OCSPResponse:
        standing = self.services.index.standing(request.serial_number)
        builder = self._status(request, standing, at)
        builder = builder.responder_id(OCSPResponderEncoding.HASH, key.certificate).certificates([key.certificate])
        if nonce is not None:
            builder = builder.add_extension(nonce, critical=False)
        return self.services.token.sign_builder(key.key_id, builder)

    def _status(self, request: OCSPRequest, standing: Standing | None, at: datetime) -> OCSPResponseBuilder:
        revoked_at = standing.revoked_at if standing else None
        status = OCSPCertStatus.UNKNOWN if standing is None else _STATUSES[revoked_at is not None]
        _log.info("ocsp_answered", serial=f"{request.serial_number:x}", status=status.name.lower())
        return OCSPResponseBuilder().add_response_by_hash(
            request.issuer_name_hash,
            request.issuer_key_hash,
            request.serial_number,
            request.hash_algorithm,
            cert_status=status,
            this_update=at,
            next_update=at + self.services.next_update,
            revocation_time=revoked_at,
            revocation_reason=_told(standing.reason) if standing else None,
        )


def _require_serial(request: OCSPRequest) -> None:
    # No authority gives a negative one (RFC 5280 section 4.1.2.2), and a response with one cannot be built.
    if request.serial_number < 0:
        raise ValueError("the serial number is negative")


def _told(reason: x509.ReasonFlags | None) -> x509.ReasonFlags | None:
    """RFC 5280 section 5.3.1 has ``unspecified`` told by leaving the reason out."""
    return None if reason is x509.ReasonFlags.unspecified else reason


def _issuer_hashes(issuer: x509.Certificate, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
    name = hashes.Hash(algorithm)
    name.update(issuer.subject.public_bytes())
    # The builder hashes the key as RFC 6960 has it; the name it would take from the first certificate's issuer.
    return name.finalize(), OCSPRequestBuilder().add_certificate(issuer, issuer, algorithm).build().issuer_key_hash


def _nonce(request: OCSPRequest) -> x509.OCSPNonce | None:
    try:
        nonce = request.extensions.get_extension_for_class(x509.OCSPNonce).value
    except x509.ExtensionNotFound:
        return None
    # A nonce is echoed into what we sign: unbounded, it would have us sign whatever a stranger likes.
    if not 1 <= len(nonce.nonce) <= LONGEST_NONCE:
        raise ValueError(f"nonce of {len(nonce.nonce)} octets")
    return nonce


def _der(response: OCSPResponse) -> bytes:
    return response.public_bytes(Encoding.DER)
