"""Every way in which an exchange can fail, as one tree that names who is at fault before it names what happened.

It refuses to know transports, logs and languages: a remedy in English and Khmer is in `xroad.remedies`.
Pure code raises the leaves, the pipelines set the prefix of the side that noticed, the edges turn them into faults.

    XRoadError
    ├── CallerError        the programme's backend: it must change its request, or ask for a right
    │   ├── BadRequest, InvalidRequest, MissingHeaderField, DuplicateHeaderField, InvalidHttpMethod,
    │   │   InvalidClientIdentifier                                        (always `Client.…`, HTTP 400)
    │   └── UnknownMember, UnknownService, AccessDenied, ServiceType, InvalidSecurityServer, NotFound,
    │       ClientNotAuthenticated (`SslAuthenticationFailed`)
    ├── OwnServerError     this security server: its administrator must act
    │   ├── InternalError, DatabaseError, LoggingFailed, MalformedServerConf
    │   ├── OutdatedGlobalConf, MalformedGlobalConf, MalformedAnchor
    │   ├── CannotCreateSignature, CannotSign, KeyNotFound, CertNotFound, TokenNotActive, PinIncorrect, …
    │   └── TimestampingFailed, TimestamperFailed
    ├── PeerError          the other security server, or what it sent
    │   ├── NetworkError, PeerIoError (`IOError`), MaintenanceMode, SslAuthenticationFailed
    │   ├── message: InvalidContentType, MimeParsingFailed, InvalidMessage, MissingRest, MissingSignature, …
    │   ├── signature: InvalidSignatureValue, MalformedSignature[.…], MalformedHashChain, TimestampValidation, …
    │   └── certificate: CertValidation, CertValidityTime, IncorrectValidationInfo, InvalidCertPath[.…], …
    ├── ServiceError       the provider's own service behind its security server
    │   └── ServiceFailed[.…], ServiceDisabled, ServiceMissingUrl, ServiceNetworkError (`NetworkError`), …
    └── RemoteFault        a fault that the peer sent: its code, sentence and id are kept
"""

# ruff: noqa: N818 - a leaf is named as its X-Road code, which administrators look up; no code ends in "Error" by rule

from enum import StrEnum
from typing import ClassVar, Self
from uuid import uuid4

from xroad.codes import CLIENT, documented_code, has_side, without_side

_CALLER_STATUS = 400
_SERVER_STATUS = 500


class Blame(StrEnum):
    """Who must act, seen from the server that holds the error."""

    CALLER = "caller"
    OWN_SERVER = "own_server"
    PEER = "peer"
    SERVICE = "service"


class XRoadError(Exception):
    """A refusal that may be shown to the other side.

    Args:
        detail: one safe sentence in English: what is wrong and what to do; never personal values or secrets.
        code_suffix: a more exact code below the class's own, such as ``HashChainUnusedInputs``.
        blame: only when the class's own blame is wrong in this place.
        error_id: only to keep the id of a fault that came over the wire.
    """

    code: ClassVar[str] = "InternalError"
    default_blame: ClassVar[Blame] = Blame.OWN_SERVER
    born_prefix: ClassVar[str] = ""
    by_code: ClassVar[dict[str, type["XRoadError"]]] = {}

    def __init_subclass__(cls, *, code: str | None = None) -> None:
        """Name the leaf's code, by default after the class."""
        cls.code = code or cls.__name__
        XRoadError.by_code[cls.code.casefold()] = cls

    def __init__(
        self, detail: str, *, code_suffix: str | None = None, blame: Blame | None = None, error_id: str | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.bare_code = f"{self.code}.{code_suffix}" if code_suffix else self.code
        self.full_code = f"{self.born_prefix}.{self.bare_code}" if self.born_prefix else self.bare_code
        self.blame = blame or self.default_blame
        self.error_id = error_id or str(uuid4())

    @property
    def http_status(self) -> int:
        """400 when the client's request breaks the protocol, else 500 (PR-REST 4.6)."""
        return _CALLER_STATUS if self.full_code.startswith(f"{CLIENT}.") else _SERVER_STATUS

    def prefixed(self, prefix: str) -> Self:
        """Put the side that noticed (one of `xroad.codes`) before the code, unless it has a side already."""
        if not has_side(self.full_code) and not self.full_code.startswith(prefix):
            self.full_code = f"{prefix}.{self.full_code}"
        return self

    def __str__(self) -> str:
        return f"{self.full_code}: {self.detail} (id {self.error_id})"


class CallerError(XRoadError):
    """The programme's backend asked for something that cannot be had as asked."""

    default_blame = Blame.CALLER


class ProtocolViolation(CallerError, code="BadRequest"):
    """The backend's HTTP request breaks the message protocol: `Client.…` and HTTP 400 from birth."""

    born_prefix = CLIENT


class BadRequest(ProtocolViolation):
    """The request is not one of the REST message protocol."""


class InvalidRequest(ProtocolViolation):
    """The request is well formed and yet dangerous or too large."""


class MissingHeaderField(ProtocolViolation):
    """A mandatory header is not there."""


class DuplicateHeaderField(ProtocolViolation):
    """A header that may come once came more often."""


class InvalidHttpMethod(ProtocolViolation):
    """The verb is not one that X-Road carries."""


class InvalidClientIdentifier(ProtocolViolation):
    """The identifier of the client is missing or malformed."""


class UnknownMember(CallerError):
    """No such client here, or no such provider in the instance."""


class UnknownService(CallerError):
    """The provider has no such service."""


class AccessDenied(CallerError):
    """The client has no right to the service."""


class InvalidServiceType(CallerError, code="ServiceType"):
    """A SOAP service was called as REST, or the other way round."""


class InvalidSecurityServer(CallerError):
    """The security server asked for does not serve the provider."""


class NotFound(CallerError):
    """There is nothing under this address."""


class ClientNotAuthenticated(CallerError, code="SslAuthenticationFailed"):
    """The backend's connection is not the one that its client is registered with."""


class OwnServerError(XRoadError):
    """This security server cannot do its part."""

    default_blame = Blame.OWN_SERVER


class InternalError(OwnServerError):
    """A programming mistake or a state that must not be."""


class DatabaseError(OwnServerError):
    """The database refused or is away."""


class LoggingFailed(OwnServerError):
    """The message could not be made durable, so it did not move on."""


class MalformedServerConf(OwnServerError):
    """The server's own configuration is not complete."""


class OutdatedGlobalConf(OwnServerError):
    """The global configuration has expired."""


class MalformedGlobalConf(OwnServerError):
    """The global configuration is missing or not readable."""


class MalformedAnchor(OwnServerError):
    """The configuration anchor is not readable."""


class CannotCreateSignature(OwnServerError):
    """The message could not be signed."""


class CannotSign(OwnServerError):
    """The token refused to sign."""


class UnsupportedSignAlgorithm(OwnServerError):
    """The token's key cannot sign with the algorithm asked for."""


class KeyNotFound(OwnServerError):
    """There is no such key in the token."""


class KeyNotAvailable(OwnServerError):
    """The key is there and cannot be used now."""


class CertNotFound(OwnServerError):
    """There is no certificate for the key or the member."""


class CertExists(OwnServerError):
    """The certificate is in the token already."""


class CertImportFailed(OwnServerError):
    """The certificate does not fit the token."""


class TokenNotFound(OwnServerError):
    """There is no token where it should be."""


class TokenNotActive(OwnServerError):
    """The token waits for its PIN."""


class PinIncorrect(OwnServerError):
    """The token refused the PIN."""


class TokenPinPolicyFailure(OwnServerError):
    """The PIN is too weak."""


class TimestampingFailed(OwnServerError):
    """The time-stamp of a message could not be had."""


class TimestamperFailed(OwnServerError):
    """The log's time-stamping has been failing for too long."""


class PeerError(XRoadError):
    """The other security server is away, or what it sent is refused."""

    default_blame = Blame.PEER


class NetworkError(PeerError):
    """The other security server could not be reached."""


class PeerIoError(PeerError, code="IOError"):
    """The connection to the other security server broke on the way."""


class MaintenanceMode(PeerError):
    """The other security server is in maintenance."""


class SslAuthenticationFailed(PeerError):
    """The peer's authentication certificate does not let it speak as it claims."""


class ClientProxyVersionNotSupported(PeerError):
    """The other security server's software is too old."""


class InvalidContentType(PeerError):
    """A message or part is of a type that does not belong there."""


class MimeParsingFailed(PeerError):
    """The multipart is broken, cut short, or beyond limits."""


class InvalidMessage(PeerError):
    """The parts of the message are not those of the protocol, in its order."""


class MissingHeader(PeerError):
    """A transport header or SOAP header is not there."""


class MissingRest(PeerError):
    """The message has no REST part."""


class InvalidRest(PeerError):
    """The REST part is not readable."""


class MissingSoap(PeerError):
    """The message has no SOAP part."""


class InvalidSoap(PeerError):
    """The SOAP part is not readable."""


class InvalidXml(PeerError):
    """XML is malformed, or has what X-Road's XML never has."""


class MissingSignature(PeerError):
    """The message has no signature."""


class InconsistentResponse(PeerError):
    """The response answers another request."""


class InvalidSignatureValue(PeerError):
    """The signature is not over these bytes, or not by this key."""


class MalformedSignature(PeerError):
    """The signature is not of X-Road's form."""


class SignatureVerification(PeerError):
    """The signature could not be verified."""


class InvalidReference(PeerError):
    """A reference in the signature or hash chain does not resolve or match."""


class UnsupportedAlgorithm(PeerError):
    """An algorithm is not on the list of allowed ones."""


class MalformedHashChain(PeerError):
    """The hash chain is not readable."""


class InvalidHashChain(PeerError):
    """The hash chain does not lead to its result."""


class InvalidHashChainRef(PeerError):
    """The hash chain's reference to its result or start is wrong."""


class HashChainUnusedInputs(PeerError):
    """A part of the message is not covered by the hash chain."""


class TimestampValidation(PeerError):
    """The time-stamp token does not hold."""


class CertValidation(PeerError):
    """The certificate is revoked or otherwise not valid."""


class CertValidityTime(PeerError):
    """The certificate is expired, or not valid yet."""


class IncorrectCertificate(PeerError):
    """The certificate is not readable or not the one expected."""


class WrongCertUsage(PeerError):
    """An authentication certificate signed, or a signing certificate authenticated."""


class IncorrectValidationInfo(PeerError):
    """The OCSP response is stale, of another certificate, or by someone who may not answer."""


class MissingValidationInfo(PeerError):
    """There is no OCSP response for the certificate."""


class InvalidCertPath(PeerError):
    """The chain from the certificate to an approved authority does not hold."""


class CannotCreateCertPath(PeerError):
    """No chain leads from the certificate to an approved authority."""


class ServiceError(XRoadError):
    """The provider's service behind its security server cannot be had."""

    default_blame = Blame.SERVICE


class ServiceFailed(ServiceError):
    """The service did not answer as a service must."""


class ServiceDisabled(ServiceError):
    """The provider has switched the service off."""


class ServiceMissingUrl(ServiceError):
    """The provider has not said where the service is."""


class ServiceMalformedUrl(ServiceError):
    """The address of the service cannot be called."""


class ServiceNetworkError(ServiceError, code="NetworkError"):
    """The service could not be reached."""


class ServiceIoError(ServiceError, code="IOError"):
    """The service was too slow, or closed in the middle of its answer."""


class InvalidResponse(ServiceError):
    """The service's answer cannot be carried."""


_SEEN_FROM_HERE = {
    Blame.CALLER: Blame.CALLER,
    Blame.SERVICE: Blame.SERVICE,
    Blame.OWN_SERVER: Blame.PEER,  # what the peer calls its own fault is the peer's, seen from here
    Blame.PEER: Blame.OWN_SERVER,  # and what it refuses is what this server sent
}


class RemoteFault(XRoadError):
    """A fault that the peer sent; `received_code` is its spelling, `full_code` X-Road's documented one.

    Args:
        received_code: the whole code, as `Server.ServerProxy.AccessDenied` or `server.serverproxy.access_denied`.
        detail: the fault's sentence.
        error_id: the fault's detail: the id under which the peer logged it.
    """

    def __init__(self, received_code: str, detail: str, *, error_id: str | None = None) -> None:
        self.received_code = received_code
        full_code = documented_code(received_code)
        known = (XRoadError.by_code.get(part.casefold()) for part in reversed(full_code.split(".")))
        blame = next((_SEEN_FROM_HERE[leaf.default_blame] for leaf in known if leaf is not None), Blame.PEER)
        super().__init__(detail, blame=blame, error_id=error_id)
        self.full_code = full_code
        self.bare_code = without_side(full_code)
