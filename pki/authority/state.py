"""The authority's directory: two tokens, its own certificates, the index, and issuing from them.

It refuses to know HTTP. The command line issues and revokes through it; ``server`` opens only the service keys, so that
the process that listens on the network never holds a key that can issue certificates.

Layout: ``authority.json`` (name and addresses), ``ca/`` (token of the issuing keys), ``services/`` (token of the OCSP
and time-stamping keys), ``issued.sqlite``. Both tokens have the same PIN.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki import files
from pki.authority import profiles
from pki.authority.index import Index
from pki.authority.profiles import CertificateUsage, Issuer, Validity
from pki.errors import AuthorityError
from pki.pin import Pin
from pki.token import KeyId, KeyType, SoftwareToken, Usage

DEFAULT_VALIDITY: Final = timedelta(days=730)
"""Two years, as CamDX's authority gives."""
_CA_VALIDITY: Final = timedelta(days=3650)
_SERVICE_VALIDITY: Final = timedelta(days=1825)
_SETTINGS: Final = "authority.json"
_INDEX: Final = "issued.sqlite"
_CA, _SERVICES = "ca", "services"
_REASONS: Final = {flag.value: flag for flag in x509.ReasonFlags if flag is not x509.ReasonFlags.remove_from_crl}
_ROOT, _ISSUING = "root", "issuing"
_OCSP, _TSA = "ocsp", "tsa"
DEFAULT_NEXT_UPDATE: Final = timedelta(hours=1)
"""How long OCSP answers call themselves good: X-Road's usual freshness, so that neither cuts the other short."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the authority was set up with."""

    name: str
    organization: str
    ocsp_url: str
    next_update_seconds: int


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A key that answers on the network: its certificate, and the authority that delegated to it."""

    key_id: KeyId
    certificate: x509.Certificate
    issuer: x509.Certificate


@dataclass(frozen=True, slots=True)
class Services:
    """What the network-facing process needs: the service keys, and no issuing key."""

    token: SoftwareToken
    index: Index
    responders: tuple[ServiceKey, ...]
    time_stamper: ServiceKey
    next_update: timedelta

    @classmethod
    def open(cls, directory: Path, pin: Pin) -> "Services":
        """Open the service keys and the index.

        Raises:
            AuthorityError: there is no authority in the directory.
            TokenError: the token cannot be opened.
        """
        next_update = timedelta(seconds=_read_settings(directory).next_update_seconds)
        token = SoftwareToken.open(directory / _SERVICES, pin)
        keys = {key.label: ServiceKey(key.id, token.certificate(key.id), key.chain[0]) for key in token.keys}
        responders = tuple(key for label, key in keys.items() if label.startswith(_OCSP))
        return cls(token, Index(directory / _INDEX), responders, keys[_TSA], next_update)


class Authority:
    """The authority with its issuing keys, for its operator; make one with ``init_authority`` or ``open``."""

    def __init__(self, settings: Settings, token: SoftwareToken, services: SoftwareToken, index: Index) -> None:
        self.settings = settings
        self._token = token
        self._services = services
        self._index = index

    @classmethod
    def open(cls, directory: Path, pin: Pin) -> "Authority":
        """Open an authority with all its keys.

        Raises:
            AuthorityError: there is none in the directory.
            TokenError: a token cannot be opened.
        """
        settings = _read_settings(directory)
        token, services = SoftwareToken.open(directory / _CA, pin), SoftwareToken.open(directory / _SERVICES, pin)
        return cls(settings, token, services, Index(directory / _INDEX))

    def close(self) -> None:
        """Release the index."""
        self._index.close()

    @property
    def ca_certificates(self) -> tuple[x509.Certificate, ...]:
        """The root, and the issuing authority under it when there is one."""
        return tuple(key.certificate for key in self._token.keys if key.certificate)

    @property
    def issuer_certificate(self) -> x509.Certificate:
        """The certificate that issues: the last of ``ca_certificates``."""
        return self.ca_certificates[-1]

    @property
    def ocsp_certificate(self) -> x509.Certificate:
        """The OCSP responder's that the issuing certificate delegated to."""
        return self._services.certificate(self._services.find(_OCSP).id)

    @property
    def tsa_certificate(self) -> x509.Certificate:
        """The time-stamping authority's."""
        return self._services.certificate(self._services.find(_TSA).id)

    def issue(
        self,
        request: bytes,
        *,
        usage: CertificateUsage,
        now: datetime,
        validity: timedelta = DEFAULT_VALIDITY,
        not_before: datetime | None = None,
    ) -> x509.Certificate:
        """Issue a certificate for a request in PEM; it is in the index before it is given out.

        ``not_before`` replaces the usual start shortly before ``now``; the end is ``validity`` after the start.

        Raises:
            AuthorityError: the request cannot be read, or its key is not accepted.
        """
        try:
            csr = x509.load_pem_x509_csr(request)
        except ValueError as error:
            raise AuthorityError(
                "The file holds no certificate request in PEM: export it from the token again."
            ) from error
        start = not_before or now - profiles.BACKDATED
        issuer = Issuer(self.issuer_certificate, self.settings.ocsp_url)
        builder = profiles.requested_certificate(csr, usage, issuer, Validity(start, (not_before or now) + validity))
        certificate = self._token.sign_builder(self._token.keys[-1].id, builder)
        self._index.add(certificate, usage)
        return certificate

    def revoke(self, serial: int, *, at: datetime, reason: str = "unspecified") -> None:
        """Revoke a certificate for good; the OCSP responder tells so from its next answer on.

        ``reason`` is a CRLReason of RFC 5280 section 5.3.1, such as ``keyCompromise``.

        Raises:
            AuthorityError: the reason is unknown, the certificate was not issued here, or is revoked already.
        """
        try:
            flag = _REASONS[reason]
        except KeyError as error:
            known = ", ".join(_REASONS)
            raise AuthorityError(f"{reason!r} is no reason to revoke: use one of {known}.") from error
        self._index.revoke(serial, flag, at)

    def issued(self) -> tuple[x509.Certificate, ...]:
        """Give all certificates in the index."""
        return self._index.certificates()


def init_authority(
    directory: Path,
    *,
    name: str,
    pin: Pin,
    now: datetime,
    ocsp_url: str,
    key_type: KeyType = "ec-p256",
    organization: str = "Spean pilot",
    issuing_ca: bool = False,
    next_update: timedelta = DEFAULT_NEXT_UPDATE,
) -> Authority:
    """Make an authority in a new or empty directory: a root, an OCSP responder, a time-stamping authority.

    ``issuing_ca`` puts an issuing authority under the root. ``ocsp_url`` goes into all certificates issued.
    ``next_update`` is how long the responder's answers call themselves good.

    Raises:
        AuthorityError: the directory holds something, or cannot be written.
        PinRefused: the PIN is too short.
    """
    pin.require_strength()
    try:
        files.make_private_directory(directory)
    except OSError as error:
        raise AuthorityError(f"No authority can be made in {directory}: {error.strerror or error}") from error
    settings = Settings(name, organization, ocsp_url, int(next_update.total_seconds()))
    ca, services = SoftwareToken.create(directory / _CA, pin), SoftwareToken.create(directory / _SERVICES, pin)
    _make_ca_keys(ca, settings, key_type, now, issuing_ca=issuing_ca)
    _make_service_keys(ca, services, settings, key_type, now)
    index = Index(directory / _INDEX)
    for key in ca.keys[1:]:
        # The root's OCSP responder is asked for the issuing certificate, as for any that the root issued.
        index.add(ca.certificate(key.id), "ca")
    # Last: an authority whose making was cut short has no settings, and does not open.
    files.write_atomically(directory / _SETTINGS, json.dumps(dataclasses.asdict(settings), indent=1).encode())
    return Authority(settings, ca, services, index)


def _make_ca_keys(ca: SoftwareToken, settings: Settings, key_type: KeyType, now: datetime, *, issuing_ca: bool) -> None:
    validity = Validity.starting(now, _CA_VALIDITY)
    root = ca.generate_key(_ROOT, key_type, usage=Usage.AUTHORITY).id
    name = profiles.authority_name(settings.organization, settings.name)
    builder = profiles.ca_certificate(name, ca.public_key(root), Issuer(None), validity, path_length=int(issuing_ca))
    _import(ca, ca.sign_builder(root, builder), ())
    if not issuing_ca:
        return
    key = ca.public_key(ca.generate_key(_ISSUING, key_type, usage=Usage.AUTHORITY).id)
    name = profiles.authority_name(settings.organization, f"{settings.name} issuing")
    issuer = Issuer(ca.certificate(root), settings.ocsp_url)
    builder = profiles.ca_certificate(name, key, issuer, validity, path_length=0)
    _import(ca, ca.sign_builder(root, builder), ())


def _make_service_keys(
    ca: SoftwareToken, services: SoftwareToken, settings: Settings, key_type: KeyType, now: datetime
) -> None:
    validity = Validity.starting(now, _SERVICE_VALIDITY)
    root, issuer = ca.keys[0], ca.keys[-1]
    wanted = [(_OCSP, "OCSP responder", issuer, profiles.ocsp_certificate)]
    if issuer.id != root.id:
        # The issuing certificate's own status is the root's to tell, by a responder that the root delegated to.
        wanted.append((f"{_OCSP} {_ROOT}", "root OCSP responder", root, profiles.ocsp_certificate))
    wanted.append((_TSA, "time-stamping authority", issuer, profiles.tsa_certificate))
    for label, words, by, profile in wanted:
        key = services.public_key(services.generate_key(label, key_type, usage=Usage.AUTHORITY).id)
        name = profiles.authority_name(settings.organization, f"{settings.name} {words}")
        certificate = ca.sign_builder(by.id, profile(name, key, Issuer(by.certificate), validity))
        _import(services, certificate, [ca.certificate(by.id)])


def _import(token: SoftwareToken, certificate: x509.Certificate, chain: Sequence[x509.Certificate]) -> None:
    token.import_certificate(certificate.public_bytes(Encoding.PEM), chain)


def _read_settings(directory: Path) -> Settings:
    try:
        files.require_private(directory)
        return Settings(**json.loads((directory / _SETTINGS).read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise AuthorityError(f"There is no authority in {directory}: make one with spean authority init.") from error
