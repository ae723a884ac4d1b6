"""A whole public-key infrastructure in memory, for tests of everybody.

It makes a root, optionally an intermediate, an OCSP responder, a time-stamping authority, and the certificates of
members and security servers under them; keys are made once per process, because RSA keys are slow to make.
It knows nothing of trust decisions: those are what the tests are about.

    pki = Pki.create("ec-p256", at=AT)
    server = pki.issue_auth("ss1.example")                      # Issued(certificate, key)
    member = pki.issue_signing("KH-SANDBOX", "GOV", "MOP")
    pki.ocsp(member.certificate)                                # DER, good, fresh at `at`
    pki.ocsp(member.certificate, status="revoked")              # or "unknown"
    pki.ocsp(member.certificate, this_update=AT - timedelta(hours=9))   # stale
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.support import stamps
from tests.support.stamps import Issued, PrivateKey
from xroad.globalconf.index import build_index
from xroad.globalconf.parameters.model import ApprovedCaInfo, CaInfo, Member, OcspInfo, SharedParameters, TsaInfo
from xroad.globalconf.profiles import FI_PROFILE
from xroad.globalconf.snapshot import KnownInstance, TrustSnapshot, snapshot_digest
from xroad.identifiers import ClientId

__all__ = ["AT", "DAY", "Issued", "KeyType", "Pki", "PrivateKey", "Status", "Usage", "authority", "key", "leaf", "name"]

KeyType = Literal["ec-p256", "ec-p384", "rsa-2048", "rsa-1024"]
Status = Literal["good", "revoked", "unknown"]
Usage = Literal["auth", "sign", "ocsp", "tsa", "none"]

AT = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
DAY = timedelta(days=1)

_serials = count(1000)


@cache
def key(key_type: KeyType, label: str) -> PrivateKey:
    """Return the process's key of this type and label, made once."""
    if key_type.startswith("ec-"):
        return ec.generate_private_key(ec.SECP256R1() if key_type == "ec-p256" else ec.SECP384R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=int(key_type.removeprefix("rsa-")))


def name(common_name: str, *, serial_number: str | None = None, organization: str = "Test") -> x509.Name:
    """Return C=KH, O, CN and, for members and servers, serialNumber as CamDX writes it."""
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "KH"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
    ]
    if serial_number is not None:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial_number))
    return x509.Name(parts)


def key_usage(*bits: str) -> x509.KeyUsage:
    """Return a KeyUsage extension with these bits set."""
    names = (
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
    return x509.KeyUsage(**{bit: bit in bits for bit in names})


_USAGES: dict[Usage, tuple[tuple[str, ...], tuple[ObjectIdentifier, ...]]] = {
    "auth": (
        ("digital_signature", "key_encipherment"),
        (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH),
    ),
    "sign": (("content_commitment",), ()),
    "ocsp": (("digital_signature",), (ExtendedKeyUsageOID.OCSP_SIGNING,)),
    "tsa": (("digital_signature",), (ExtendedKeyUsageOID.TIME_STAMPING,)),
    "none": ((), ()),
}


@dataclass(frozen=True, slots=True)
class Pki:
    """One certification authority with its services; `at` is the moment around which everything is valid."""

    key_type: KeyType
    at: datetime
    root: Issued
    intermediate: Issued | None
    ocsp_responder: Issued = field(repr=False)
    tsa: Issued = field(repr=False)

    @classmethod
    def create(
        cls, key_type: KeyType = "ec-p256", *, at: datetime = AT, intermediate: bool = False, label: str = "Test"
    ) -> "Pki":
        """Make root, services and, on request, an intermediate that issues in the root's place."""
        root = authority(f"{label} Root CA", key_type, at)
        middle = authority(f"{label} Issuing CA", key_type, at, root, path_length=0) if intermediate else None
        issuer = middle or root
        responder = leaf(issuer, name(f"{label} OCSP"), key_type, at, "ocsp")
        tsa = leaf(issuer, name(f"{label} TSA"), key_type, at, "tsa")
        return cls(key_type, at, root, middle, responder, tsa)

    @property
    def issuer(self) -> Issued:
        """The authority that issues to members and servers."""
        return self.intermediate or self.root

    @property
    def ca_certificates(self) -> tuple[x509.Certificate, ...]:
        """Root first, then the intermediate if there is one."""
        middle = (self.intermediate.certificate,) if self.intermediate else ()
        return (self.root.certificate, *middle)

    def issue_auth(
        self, host: str = "ss1.example", server: str = "KH-SANDBOX/SS1/GOV", *, usage: Usage = "auth"
    ) -> Issued:
        """Issue an authentication certificate to a security server."""
        return leaf(self.issuer, name(host, serial_number=server), self.key_type, self.at, usage)

    def issue_signing(
        self,
        instance: str = "KH-SANDBOX",
        member_class: str = "GOV",
        member_code: str = "MOP",
        *,
        server_code: str = "SS1",
        usage: Usage = "sign",
        key_type: KeyType | None = None,
    ) -> Issued:
        """Issue a signing certificate to a member, with the subject profile that CamDX uses."""
        subject = name(member_code, serial_number=f"{instance}/{server_code}/{member_class}")
        return leaf(self.issuer, subject, key_type or self.key_type, self.at, usage)

    def ocsp(
        self,
        certificate: x509.Certificate,
        *,
        status: Status = "good",
        this_update: datetime | None = None,
        next_update: datetime | None = None,
        responder: Issued | None = None,
        issuer: x509.Certificate | None = None,
        by_name: bool = False,
        embed: Sequence[x509.Certificate] | None = None,
        digest: hashes.SHA224 | hashes.SHA256 | None = None,
    ) -> bytes:
        """Return a DER OCSP response; its producedAt is the machine's time, for the builder gives no choice."""
        signer = responder or self.ocsp_responder
        updated = this_update or self.at - timedelta(minutes=5)
        revoked_at = updated - timedelta(hours=1) if status == "revoked" else None
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=certificate,
            issuer=issuer or self.issuer.certificate,
            algorithm=hashes.SHA1(),  # noqa: S303 — the CertID of every deployed responder; not a signature
            cert_status=ocsp.OCSPCertStatus[status.upper()],
            this_update=updated,
            next_update=next_update,
            revocation_time=revoked_at,
            revocation_reason=None,
        )
        encoding = ocsp.OCSPResponderEncoding.NAME if by_name else ocsp.OCSPResponderEncoding.HASH
        builder = builder.responder_id(encoding, signer.certificate)
        embedded = [signer.certificate] if embed is None else list(embed)
        if embedded:
            builder = builder.certificates(embedded)
        signed = builder.sign(signer.key, digest or hashes.SHA256())
        return signed.public_bytes(Encoding.DER)

    def time_stamp(self, digest: bytes, *, at: datetime | None = None, signer: Issued | None = None) -> bytes:
        """Return a time-stamp token (DER) over a SHA-512 digest; see `tests.support.stamps` for bad ones."""
        return stamps.token(signer or self.tsa, digest, at or self.at)

    def trust(
        self,
        instance: str = "KH-SANDBOX",
        *,
        members: Sequence[str] = ("GOV/MOP", "GOV/NSAF"),
        freshness: timedelta = timedelta(hours=1),
        responder: x509.Certificate | None = None,
        authentication_only: bool = False,
        profile: str = FI_PROFILE,
    ) -> TrustSnapshot:
        """Return a real snapshot in which this authority and its services are approved."""
        responders = () if responder is None else (OcspInfo("http://ocsp", _der(responder)),)
        top, *others = (CaInfo(_der(each), responders) for each in self.ca_certificates)
        approved = ApprovedCaInfo(
            "Test CA", top, profile, intermediates=tuple(others), authentication_only=authentication_only
        )
        shared = SharedParameters(
            instance=instance,
            ocsp_freshness_seconds=int(freshness.total_seconds()),
            approved_cas=(approved,),
            approved_tsas=(TsaInfo("Test TSA", "http://tsa", _der(self.tsa.certificate)),),
            members=tuple(Member(ClientId.parse(f"{instance}/{each}"), each, "") for each in members),
        )
        digest = hashlib.sha256(repr(shared).encode()).hexdigest()
        known = {instance: KnownInstance(build_index(shared, 6, digest), self.at + 365 * DAY)}
        return TrustSnapshot(instance, snapshot_digest(instance, known, ""), self.at + 365 * DAY, None, known)

    def chain_ocsp(self, certificate: x509.Certificate) -> tuple[bytes, ...]:
        """Good responses for a certificate and, if there is one, for the intermediate that issued it."""
        responses = [self.ocsp(certificate)]
        if self.intermediate is not None:
            response = self.ocsp(self.intermediate.certificate, responder=self.root, issuer=self.root.certificate)
            responses.append(response)
        return tuple(responses)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def authority(
    common_name: str, key_type: KeyType, at: datetime, issuer: Issued | None = None, *, path_length: int | None = None
) -> Issued:
    """Make a certification authority: self-signed, or under an issuer."""
    own = key(key_type, common_name)
    subject = name(common_name)
    builder = _builder(subject, own, at, issuer)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
    signer = issuer.key if issuer else own
    return Issued(builder.sign(signer, hashes.SHA256()), own)


def leaf(
    issuer: Issued,
    subject: x509.Name,
    key_type: KeyType,
    at: datetime,
    usage: Usage,
    *,
    not_after: datetime | None = None,
    not_before: datetime | None = None,
    ca: bool = False,
    digest: hashes.SHA224 | hashes.SHA256 | None = None,
) -> Issued:
    """Issue an end-entity certificate with the usages of its kind."""
    own = key(key_type, subject.rfc4514_string())
    builder = _builder(subject, own, at, issuer, not_after=not_after, not_before=not_before)
    bits, purposes = _USAGES[usage]
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if bits:
        builder = builder.add_extension(key_usage(*bits), critical=True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=usage == "tsa")
    return Issued(builder.sign(issuer.key, digest or hashes.SHA256()), own)


def _builder(
    subject: x509.Name,
    own: PrivateKey,
    at: datetime,
    issuer: Issued | None,
    *,
    not_after: datetime | None = None,
    not_before: datetime | None = None,
) -> x509.CertificateBuilder:
    signer = issuer.key if issuer else own
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(next(_serials))
        .not_valid_before(not_before or at - 30 * DAY)
        .not_valid_after(not_after or at + 365 * DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
