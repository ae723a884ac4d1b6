"""Certificates of servers and members: the right usage, an allowed key, a path to an approved authority, good OCSP.

It refuses to know TLS, messages and access rights: it takes certificates, OCSP responses, a trust snapshot and a time.
The handshake's check and the check of a message's signer are both here, as two functions with two result types, so that
an authentication certificate can never stand where a signing certificate is meant.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NewType

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from xroad import errors, ocsp
from xroad.algorithms import check_key_strength
from xroad.identifiers import ClientId
from xroad.ocsp import OcspVerdict, describe
from xroad.reading import check_readable
from xroad.verdicts import VerdictCache

if TYPE_CHECKING:
    from xroad.globalconf.snapshot import TrustSnapshot

AuthCertificate = NewType("AuthCertificate", x509.Certificate)
SigningCertificate = NewType("SigningCertificate", x509.Certificate)

MAX_CHAIN_CERTIFICATES = 10  # deeper hierarchies do not exist; a bound on what a peer can make a server verify

_ALLOWED_DIGESTS = frozenset({"sha256", "sha384", "sha512"})
_TIME_ERRORS = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """A certificate's path held and its status was good; `until` is when either of them ends."""

    path: tuple[x509.Certificate, ...]
    ocsp: OcspVerdict
    since: datetime
    until: datetime


def verify_auth_certificate(
    chain: Sequence[x509.Certificate],
    ocsp_responses: Sequence[bytes],
    trust: "TrustSnapshot",
    at: datetime,
    *,
    instance: str | None = None,
    cache: VerdictCache | None = None,
) -> AuthCertificate:
    """Return a peer's authentication certificate if it holds at this time; who registered it is the caller's question.

    Args:
        chain: what the peer sent in the handshake, its own certificate first.
        ocsp_responses: DER, from the message or the OCSP relay.
        trust: the approved authorities and responders.
        at: the time of judgement, aware UTC.
        instance: the peer's X-Road instance; by default the snapshot's own.
        cache: remembers good verdicts.

    Raises:
        SslAuthenticationFailed: with the reason as the rest of the code, as X-Road nests it.
    """
    if not chain:
        raise errors.SslAuthenticationFailed("The peer sent no certificate: its server has no authentication key.")
    try:
        leaf, *others = [check_readable(each) for each in chain]
    except errors.IncorrectCertificate as error:
        raise nested(errors.SslAuthenticationFailed, error) from error
    if not is_auth_certificate(leaf):
        raise errors.SslAuthenticationFailed(
            f"The peer's certificate {describe(leaf)} is not an authentication certificate: "
            "its server must be given one whose usage is TLS client or digital signature."
        )
    try:
        verify_chain(leaf, others, ocsp_responses, trust, at, "auth", instance or trust.instance, cache=cache)
    except errors.XRoadError as error:
        raise nested(errors.SslAuthenticationFailed, error) from error
    return AuthCertificate(leaf)


def verify_signing_certificate(
    cert: x509.Certificate,
    extra: Sequence[x509.Certificate],
    ocsp_responses: Sequence[bytes],
    trust: "TrustSnapshot",
    at: datetime,
    member: ClientId,
    *,
    cache: VerdictCache | None = None,
) -> SigningCertificate:
    """Return a signing certificate if it is one, is this member's, and holds at this time.

    Raises:
        MalformedSignature: the certificate is not for signing.
        IncorrectCertificate: it is another member's.
        CannotCreateCertPath, InvalidCertPath: no path or no good status, with the reason as the rest of the code.
    """
    check_signing_usage(cert)
    check_signer(cert, trust, member, at, cache=cache)
    verify_chain(cert, extra, ocsp_responses, trust, at, "sign", member.instance, cache=cache)
    return SigningCertificate(cert)


def verify_chain(
    cert: x509.Certificate,
    extra: Sequence[x509.Certificate],
    ocsp_responses: Sequence[bytes],
    trust: "TrustSnapshot",
    at: datetime,
    usage: Literal["auth", "sign"],
    instance: str,
    *,
    cache: VerdictCache | None = None,
) -> ChainVerdict:
    """Return the verdict on path and status of a certificate whose usage has been checked.

    The anchor is the approved certificate that issued the leaf, be it a root or an intermediate: the governing
    authority approves each of them by itself, so that status is asked of the leaf only, as X-Road's verifier does.

    Raises:
        CannotCreateCertPath: not issued by an approved authority, expired, or with a key that is not allowed.
        InvalidCertPath: `.CertValidation` (revoked, unknown, no OCSP response) or `.IncorrectValidationInfo`.
    """
    key = ("chain", trust.digest, usage, instance, cert, tuple(extra), _digests(ocsp_responses))
    known = cache.get(key, ChainVerdict, at) if cache is not None else None
    if known is not None:
        return known
    verdict = _judge_chain(cert, extra, ocsp_responses, trust, at, usage, instance, cache)
    if cache is not None:
        cache.put(key, verdict, verdict.since, verdict.until)
    return verdict


def build_path(
    cert: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    trust_anchors: Sequence[x509.Certificate],
    at: datetime,
) -> tuple[x509.Certificate, ...]:
    """Return the path from a certificate to one of the anchors, leaf first, valid as a whole at this time.

    Raises:
        CannotCreateCertPath: no path, a broken signature or constraint, an expired certificate
            (`.CertValidityTime`), or an algorithm that is not allowed (`.UnsupportedAlgorithm`).
    """
    if len(intermediates) > MAX_CHAIN_CERTIFICATES:
        raise errors.CannotCreateCertPath(f"The peer sent more than {MAX_CHAIN_CERTIFICATES} certificates in a chain.")
    store = crypto.X509Store()
    for anchor in trust_anchors:
        store.add_cert(crypto.X509.from_cryptography(anchor))
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)  # an approved intermediate is an anchor of its own
    store.set_time(at)
    helpers = [crypto.X509.from_cryptography(each) for each in intermediates]
    context = crypto.X509StoreContext(store, crypto.X509.from_cryptography(cert), helpers)
    try:
        verified = context.get_verified_chain()
    except crypto.X509StoreContextError as error:
        raise _path_error(cert, error, at) from error
    path = tuple(each.to_cryptography() for each in verified)
    for each in path:
        _check_key(each)
    for each in path[:-1]:  # nobody relies on an anchor's own signature: old roots have a SHA-1 one
        _check_signature_digest(each)
    return path


def issuer_of(
    cert: x509.Certificate, trust: "TrustSnapshot", instance: str, usage: Literal["auth", "sign"] = "auth"
) -> x509.Certificate:
    """Return the approved authority's certificate that issued this one: by name and by signature.

    Raises:
        CannotCreateCertPath: there is none in the instance's global configuration.
    """
    approved = trust.signing_ca_certificates(instance) if usage == "sign" else trust.ca_certificates(instance)
    for candidate in approved:
        if candidate.subject == cert.issuer and _issued(cert, candidate):
            return candidate
    raise errors.CannotCreateCertPath(
        f"The certificate {describe(cert)} was not issued by a certification authority that instance {instance} has "
        "approved: its holder must get one from an approved authority."
    )


def is_auth_certificate(cert: x509.Certificate) -> bool:
    """Tell whether a certificate may authenticate a server: TLS client purpose, or signing or enciphering keys.

    As X-Road tells it; a certificate that is for non-repudiation only is none.
    """
    purposes = _extended_usage(cert)
    if purposes is not None and ExtendedKeyUsageOID.CLIENT_AUTH in purposes:
        return True
    usage = _key_usage(cert)
    return usage is not None and (usage.digital_signature or usage.key_encipherment or usage.data_encipherment)


def is_signing_certificate(cert: x509.Certificate) -> bool:
    """Tell whether a certificate may sign messages: its key usage has nonRepudiation."""
    usage = _key_usage(cert)
    return usage is not None and usage.content_commitment


def check_signing_usage(cert: x509.Certificate) -> None:
    """Refuse a certificate that is not for signing messages.

    Raises:
        MalformedSignature: as X-Road calls it.
    """
    if not is_signing_certificate(cert):
        raise errors.MalformedSignature(
            f"The certificate {describe(cert)} is not a signing certificate (no nonRepudiation usage): "
            "the member must sign with its signing key, not with the server's authentication key."
        )


def check_signer(
    cert: x509.Certificate,
    trust: "TrustSnapshot",
    member: ClientId,
    at: datetime,
    *,
    cache: VerdictCache | None = None,
) -> None:
    """Refuse a signing certificate that is not this member's, by the subject profile of its certification authority.

    Raises:
        IncorrectCertificate: it names somebody else: a member may only speak for itself.
    """
    key = ("signer", trust.digest, cert, member.member)
    if cache is not None and cache.get(key, ClientId, at) is not None:
        return
    named = trust.subject_to_member(cert, member.instance)
    if named.member != member.member:
        raise errors.IncorrectCertificate(
            f"The message is signed by {named.member}, but says that it comes from {member.member}: "
            "a member can sign only for itself."
        )
    if cache is not None:
        cache.put(key, named, cert.not_valid_before_utc, cert.not_valid_after_utc)


def nested(outer: type[errors.XRoadError], error: errors.XRoadError) -> errors.XRoadError:
    """Put an error under another code, as X-Road nests them; sentence and id stay."""
    return outer(error.detail, code_suffix=error.bare_code, error_id=error.error_id)


def relay_hash(cert: x509.Certificate) -> str:
    """Return the name of a certificate in the OCSP relay: SHA-1 of its DER in hexadecimal (X-Road's; only a name)."""
    return hashlib.sha1(cert.public_bytes(Encoding.DER)).hexdigest()  # noqa: S324 - the wire fixes it


def _judge_chain(
    cert: x509.Certificate,
    extra: Sequence[x509.Certificate],
    ocsp_responses: Sequence[bytes],
    trust: "TrustSnapshot",
    at: datetime,
    usage: Literal["auth", "sign"],
    instance: str,
    cache: VerdictCache | None,
) -> ChainVerdict:
    issuer = issuer_of(cert, trust, instance, usage)
    path = build_path(cert, extra, (issuer,), at)
    response = ocsp.find(ocsp_responses, cert, issuer)
    if response is None:
        missing = errors.CertValidation(
            f"There is no OCSP response for {describe(cert)}: the certificate's server could not get one from its "
            "certification authority."
        )
        raise nested(errors.InvalidCertPath, missing)
    try:
        status = ocsp.verify(response, cert, issuer, trust, at, cache=cache)
    except errors.XRoadError as error:
        raise nested(errors.InvalidCertPath, error) from error
    since = max(*(each.not_valid_before_utc for each in path), status.good_since)
    until = min(*(each.not_valid_after_utc for each in path), status.good_until)
    return ChainVerdict(path, status, since, until)


def _digests(responses: Sequence[bytes]) -> bytes:
    digest = hashlib.sha256()
    for response in responses:
        digest.update(len(response).to_bytes(8, "big") + response)
    return digest.digest()


def _path_error(
    cert: x509.Certificate, error: crypto.X509StoreContextError, at: datetime
) -> errors.CannotCreateCertPath:
    number = error.errors[0] if error.errors else 0
    reason = str(error.errors[2]) if len(error.errors) > 2 else str(error)  # noqa: PLR2004 - code, depth, sentence
    if number in _TIME_ERRORS:
        return errors.CannotCreateCertPath(
            f"The certificate {describe(cert)} or its authority's is not valid at {at:%Y-%m-%d %H:%M:%S}Z ({reason}; "
            f"the certificate is valid from {cert.not_valid_before_utc:%Y-%m-%d} to "
            f"{cert.not_valid_after_utc:%Y-%m-%d}): it must be renewed, or a clock is wrong.",
            code_suffix="CertValidityTime",
        )
    return errors.CannotCreateCertPath(
        f"No valid path leads from the certificate {describe(cert)} to an approved authority ({reason}): "
        "its holder must get a certificate that an approved authority issued."
    )


def _check_key(cert: x509.Certificate) -> None:
    try:
        check_key_strength(cert.public_key())
    except errors.UnsupportedAlgorithm as error:
        raise _too_weak(cert) from error


def _check_signature_digest(cert: x509.Certificate) -> None:
    try:
        digest = cert.signature_hash_algorithm
    except UnsupportedAlgorithm as error:
        raise _too_weak(cert) from error
    # SHA-1 and MD5 signatures on certificates can be forged: an attacker would make an authority of its own.
    if digest is None or digest.name not in _ALLOWED_DIGESTS:
        raise _too_weak(cert)


def _too_weak(cert: x509.Certificate) -> errors.CannotCreateCertPath:
    return errors.CannotCreateCertPath(
        f"The certificate {describe(cert)} has a key or a signature that is not allowed any more: "
        "RSA from 2048 bits or P-256 up, signed with SHA-256 or longer, are needed.",
        code_suffix="UnsupportedAlgorithm",
    )


def _issued(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        cert.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _key_usage(cert: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return cert.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return None  # unreadable extensions grant nothing


def _extended_usage(cert: x509.Certificate) -> x509.ExtendedKeyUsage | None:
    try:
        return cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return None
