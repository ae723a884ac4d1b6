"""What the authority writes into certificates: names, usages, extensions.

It refuses to sign and to remember. ``state`` signs what is built here; the profiles follow what X-Road's verifiers ask
of authentication and signing certificates (key usage, PR-MESSTRANSP section 2.1) and RFC 5280.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from pki.errors import AuthorityError
from pki.keys import PublicKey

CertificateUsage = Literal["auth", "sign", "tls"]

BACKDATED: Final = timedelta(minutes=5)
"""How far a certificate's validity starts in the past: clocks of a pilot's machines differ."""
SHORTEST_RSA: Final = 2048
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues: the certificate (None: the new one signs itself) and where its OCSP responder answers."""

    certificate: x509.Certificate | None
    ocsp_url: str | None = None


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when."""

    not_before: datetime
    not_after: datetime

    @classmethod
    def starting(cls, now: datetime, length: timedelta) -> "Validity":
        """Start a little in the past, end ``length`` from now."""
        return cls(now - BACKDATED, now + length)


def authority_name(organization: str, common_name: str) -> x509.Name:
    """Give the name of one of the authority's own certificates."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "KH"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def ca_certificate(
    name: x509.Name, key: PublicKey, issuer: Issuer, validity: Validity, *, path_length: int
) -> x509.CertificateBuilder:
    """Build a certification authority's certificate."""
    constraints = x509.BasicConstraints(ca=True, path_length=path_length)
    builder = _base(name, key, issuer, validity).add_extension(constraints, critical=True)
    return builder.add_extension(_key_usage("digital_signature", "key_cert_sign", "crl_sign"), critical=True)


def ocsp_certificate(name: x509.Name, key: PublicKey, issuer: Issuer, validity: Validity) -> x509.CertificateBuilder:
    """Build a delegated OCSP responder's certificate (RFC 6960 section 4.2.2.2)."""
    builder = _end_entity(name, key, issuer, validity, ("digital_signature",))
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=True)
    return builder.add_extension(x509.OCSPNoCheck(), critical=False)


def tsa_certificate(name: x509.Name, key: PublicKey, issuer: Issuer, validity: Validity) -> x509.CertificateBuilder:
    """Build a time-stamping authority's certificate (RFC 3161 section 2.3: that usage alone, critical)."""
    builder = _end_entity(name, key, issuer, validity, ("digital_signature", "content_commitment"))
    return builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)


def requested_certificate(
    request: x509.CertificateSigningRequest, usage: CertificateUsage, issuer: Issuer, validity: Validity
) -> x509.CertificateBuilder:
    """Build what a request asks for: subject, key and DNS names from it, everything else from the profile.

    Raises:
        AuthorityError: the request is not signed by its own key, or its key is too weak or of an unknown kind.
    """
    key = _acceptable(request)
    builder = _end_entity(request.subject, key, issuer, validity, _USAGES[usage])
    if purposes := _PURPOSES[usage]:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    names = [x509.DNSName(name) for name in _dns_names(request)]
    if names and usage != "sign":
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder


_USAGES: Final[dict[CertificateUsage, tuple[str, ...]]] = {
    "auth": ("digital_signature", "key_encipherment", "key_agreement"),
    "sign": ("content_commitment",),
    "tls": ("digital_signature", "key_encipherment"),
}
_PURPOSES: Final[dict[CertificateUsage, tuple[ObjectIdentifier, ...]]] = {
    "auth": (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH),
    "sign": (),
    "tls": (ExtendedKeyUsageOID.SERVER_AUTH,),
}
_ALL_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _acceptable(request: x509.CertificateSigningRequest) -> PublicKey:
    # Proof of possession: else anyone could have a certificate over another member's public key.
    if not request.is_signature_valid:
        raise AuthorityError("The request is not signed by the key that it holds: make it anew from the token.")
    key = request.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= SHORTEST_RSA:
        return key
    raise AuthorityError(
        f"The request's key is not accepted: use P-256, P-384, or RSA of {SHORTEST_RSA} bits and more."
    )


def _dns_names(request: x509.CertificateSigningRequest) -> list[str]:
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    except ValueError as error:
        raise AuthorityError("The request's extensions cannot be read: make it anew.") from error
    return names.value.get_values_for_type(x509.DNSName)


def _end_entity(
    name: x509.Name, key: PublicKey, issuer: Issuer, validity: Validity, usages: tuple[str, ...]
) -> x509.CertificateBuilder:
    builder = _base(name, key, issuer, validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return builder.add_extension(_key_usage(*usages), critical=True)


def _base(name: x509.Name, key: PublicKey, issuer: Issuer, validity: Validity) -> x509.CertificateBuilder:
    own = x509.SubjectKeyIdentifier.from_public_key(key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer.certificate else name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.not_before)
        .not_valid_after(validity.not_after)
        .add_extension(own, critical=False)
        .add_extension(_authority_key_id(issuer, own), critical=False)
    )
    if issuer.ocsp_url is None:
        return builder
    location = x509.UniformResourceIdentifier(issuer.ocsp_url)
    access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location)
    return builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)


def _authority_key_id(issuer: Issuer, own: x509.SubjectKeyIdentifier) -> x509.AuthorityKeyIdentifier:
    if issuer.certificate is None:
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
    extension = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value)


def _key_usage(*usages: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in usages for usage in _ALL_USAGES})
