"""The central server's two signing keys, and the anchors that name them.

It refuses to renew a key by itself: every security server would have to be given a new anchor.
The keys are made at the first start, in a software token under a PIN; the publisher signs with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from centralserver.config import CentralConfig, KeyChoice
from centralserver.content import SigningCertificates
from pki.errors import UnknownKey
from pki.pin import Pin
from pki.token import KeyId, SoftwareToken, Usage
from xroad.algorithms import SignatureAlgorithm, default_algorithm
from xroad.errors import MalformedAnchor
from xroad.globalconf.anchor import Anchor, AnchorSource, build_anchor, parse_anchor

INTERNAL = "internal"
EXTERNAL = "external"
# The certificate only carries the key, and nobody looks at its dates (PR-GCONF 2.2); as long as a key may be kept.
_CERTIFICATE_LIFE = timedelta(days=20 * 365)
_KEYS_FOLDER = "signing-keys"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One signing key, by its place in the token."""

    token: SoftwareToken
    key_id: KeyId
    certificate: bytes
    algorithm: SignatureAlgorithm

    async def sign(self, data: bytes) -> bytes:
        """Sign; ECDSA values are DER."""
        return await self.token.sign(self.key_id, data, self.algorithm)


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The key of the internal configuration and the one of the external."""

    internal: SigningKey
    external: SigningKey

    @property
    def certificates(self) -> SigningCertificates:
        """The certificates as the shared parameters name them."""
        return SigningCertificates(self.internal.certificate, self.external.certificate)


def open_keys(config: CentralConfig, home: Path, at: datetime) -> SigningKeys:
    """Open the token in the data directory, or make it and its keys; blocks for key generation.

    Args:
        config: says where the PIN is and what kind of key to make.
        home: the data directory.
        at: when a new certificate begins.

    Raises:
        PkiError: the PIN is missing or wrong, or the token is damaged.
    """
    pin = Pin.from_file(config.pin_file) if config.pin_file else Pin.from_environment(config.pin_env or "")
    folder = home / _KEYS_FOLDER
    home.mkdir(parents=True, exist_ok=True)
    token = SoftwareToken.open(folder, pin) if folder.exists() else SoftwareToken.create(folder, pin)
    return SigningKeys(
        _signing_key(token, INTERNAL, config.instance, config.key_type, at),
        _signing_key(token, EXTERNAL, config.instance, config.key_type, at),
    )


def _signing_key(token: SoftwareToken, label: str, instance: str, key_type: KeyChoice, at: datetime) -> SigningKey:
    try:
        key = token.find(label)
    except UnknownKey:
        key = token.generate_key(label, key_type, usage=Usage.AUTHORITY)
    certificate = key.certificate
    if certificate is None:
        certificate = _self_signed(token, key.id, f"{instance} {label} configuration signing key", at)
        token.import_certificate(certificate.public_bytes(Encoding.DER))
    return SigningKey(
        token, key.id, certificate.public_bytes(Encoding.DER), default_algorithm(certificate.public_key())
    )


def _self_signed(token: SoftwareToken, key_id: KeyId, name: str, at: datetime) -> x509.Certificate:
    # A common name has 64 characters at most (RFC 5280, ub-common-name); instances may be longer.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(token.public_key(key_id))
        .serial_number(x509.random_serial_number())
        .not_valid_before(at)
        .not_valid_after(at + _CERTIFICATE_LIFE)
    )
    return token.sign_builder(key_id, builder)


@dataclass(frozen=True, slots=True)
class AnchorFiles:
    """Where the two anchors are."""

    internal: Path
    external: Path


def anchor_files(config: CentralConfig, home: Path) -> AnchorFiles:
    """Say where the anchors of a configuration are written."""
    return AnchorFiles(
        config.anchor or home / "internal-anchor.xml", config.external_anchor or home / "external-anchor.xml"
    )


def write_anchors(files: AnchorFiles, keys: SigningKeys, instance: str, urls: Sequence[str], at: datetime) -> None:
    """Write the anchors; one that says the same already is left as it is, so that its hash stays what people noted.

    Raises:
        OSError: a file cannot be written.
    """
    _write_anchor(files.internal, _anchor(instance, "internalconf", keys.internal.certificate, urls, at))
    _write_anchor(files.external, _anchor(instance, "externalconf", keys.external.certificate, urls, at))


def _anchor(instance: str, name: str, certificate: bytes, urls: Sequence[str], at: datetime) -> Anchor:
    sources = tuple(AnchorSource(f"{url}/{name}", (certificate,)) for url in urls)
    return Anchor(instance, at.astimezone(UTC).replace(microsecond=0), sources)


def _write_anchor(path: Path, anchor: Anchor) -> None:
    if _says_the_same(path, anchor):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(build_anchor(anchor))
    temporary.replace(path)


def _says_the_same(path: Path, anchor: Anchor) -> bool:
    try:
        found = parse_anchor(path.read_bytes())
    except (OSError, MalformedAnchor):
        return False
    return (found.instance, found.sources) == (anchor.instance, anchor.sources)
