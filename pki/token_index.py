"""The index of a software token: what keys it holds, sealed under the PIN.

It refuses to touch private keys and files. ``token.py`` reads and writes the bytes; this module turns them into records
and back, and finds a wrong PIN or an altered byte.

The PIN is stretched with scrypt into a key that wraps one random master secret; from the master come the passphrase of
the key files and the key of the index's HMAC. So a guess at the PIN costs a whole scrypt, and changing the PIN rewrites
one file.
"""

import dataclasses
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal, NewType, get_args

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding

from pki.errors import TokenDamaged, WrongPin
from pki.pin import Pin
from xroad.identifiers import ClientId

KeyId = NewType("KeyId", str)
KeyType = Literal["ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"]
KEY_TYPES: Final[tuple[KeyType, ...]] = get_args(KeyType)

_VERSION: Final = 1
_SCRYPT_COST: Final = 2**15
"""32 MiB and about a tenth of a second a guess: as much as starting a node can afford."""
_SCRYPT_MEMORY: Final = 64 * 2**20
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_MASTER_BYTES: Final = 32


class Usage(StrEnum):
    """What a key is for; X-Road keeps the first two strictly apart."""

    AUTHENTICATION = "authentication"
    SIGNING = "signing"
    AUTHORITY = "authority"
    LOG = "message log"  # agrees on keys that open encrypted bodies; it never signs


class CertificateStatus(StrEnum):
    """Where a certificate stands with the instance's registration, in X-Road's terms."""

    SAVED = "saved"
    REGISTRATION_IN_PROGRESS = "registration in progress"
    REGISTERED = "registered"
    DELETION_IN_PROGRESS = "deletion in progress"


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be known of a key: everything but the key.

    ``chain`` holds the intermediates that came with the certificate, nearest issuer first, without the root.
    """

    id: KeyId
    label: str
    key_type: KeyType
    usage: Usage
    member: ClientId | None = None
    certificate: x509.Certificate | None = None
    chain: tuple[x509.Certificate, ...] = ()
    status: CertificateStatus | None = None
    active: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Seal:
    """What opens a token once the PIN is known; it never shows itself."""

    master: bytes
    header: Mapping[str, str]

    @classmethod
    def new(cls, pin: Pin) -> "Seal":
        """Make a new master secret, wrapped under the PIN."""
        return cls.wrapping(secrets.token_bytes(_MASTER_BYTES), pin)

    @classmethod
    def wrapping(cls, master: bytes, pin: Pin) -> "Seal":
        """Wrap the same master under another PIN: the key files stay as they are."""
        salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
        wrapped = AESGCM(_stretch(pin, salt)).encrypt(nonce, master, salt)
        return cls(master, {"salt": salt.hex(), "nonce": nonce.hex(), "wrapped": wrapped.hex()})

    @classmethod
    def opened(cls, header: Mapping[str, str], pin: Pin) -> "Seal":
        """Unwrap the master.

        Raises:
            WrongPin: the PIN is another one (or the header was altered: the two cannot be told apart).
        """
        salt, nonce, wrapped = (bytes.fromhex(header[name]) for name in ("salt", "nonce", "wrapped"))
        try:
            return cls(AESGCM(_stretch(pin, salt)).decrypt(nonce, wrapped, salt), dict(header))
        except InvalidTag as error:
            raise WrongPin(
                "The PIN does not open this token: check the PIN and that this is the right directory."
            ) from error

    def passphrase(self) -> bytes:
        """Give the passphrase of the key files (printable, 256 bits)."""
        return self._derive(b"key files").hex().encode()

    def authenticate(self, data: bytes) -> str:
        """Give the HMAC that proves who wrote the index."""
        return hmac.digest(self._derive(b"index"), data, "sha256").hex()

    def _derive(self, purpose: bytes) -> bytes:
        return hmac.digest(self.master, b"spean token: " + purpose, "sha256")


def encode(seal: Seal, keys: Sequence[KeyInfo]) -> bytes:
    """Write the index, authenticated."""
    content = {"version": _VERSION, "seal": dict(seal.header), "keys": [_record(key) for key in keys]}
    return json.dumps(content | {"hmac": seal.authenticate(_canonical(content))}, indent=1).encode() + b"\n"


def decode(data: bytes, *, pin: Pin | None = None, seal: Seal | None = None) -> tuple[Seal, tuple[KeyInfo, ...]]:
    """Read the index with the PIN, or again with the seal that an earlier reading gave.

    Raises:
        WrongPin: the PIN is another one.
        TokenDamaged: the index is no index, of another version, or was altered by someone without the PIN.
    """
    try:
        content: dict[str, Any] = json.loads(data)
        tag = str(content.pop("hmac"))
        if content["version"] != _VERSION:
            raise TokenDamaged(f"The token is of version {content['version']}; this software reads version {_VERSION}.")
        opened = _open(content["seal"], pin, seal)
        # Without this, who can write the directory but not open the token could swap certificates and usages.
        if not hmac.compare_digest(tag, opened.authenticate(_canonical(content))):
            raise TokenDamaged(
                "The token's index was altered after the token wrote it: restore token.json from a backup."
            )
        return opened, tuple(_info(record) for record in content["keys"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TokenDamaged("The token's index cannot be read: restore token.json from a backup.") from error


def _open(header: Mapping[str, str], pin: Pin | None, seal: Seal | None) -> Seal:
    if seal is not None:
        return dataclasses.replace(seal, header=dict(header))
    if pin is None:
        raise AssertionError("either a PIN or a seal opens an index")
    return Seal.opened(header, pin)


def _stretch(pin: Pin, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.reveal(), salt=salt, n=_SCRYPT_COST, r=8, p=1, maxmem=_SCRYPT_MEMORY, dklen=_MASTER_BYTES)


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _record(key: KeyInfo) -> dict[str, Any]:
    certificates = [key.certificate, *key.chain] if key.certificate else []
    return {
        "id": key.id,
        "label": key.label,
        "key_type": key.key_type,
        "usage": key.usage,
        "member": str(key.member) if key.member else None,
        "certificates": [certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates],
        "status": key.status,
        "active": key.active,
    }


def _info(record: Mapping[str, Any]) -> KeyInfo:
    certificates = tuple(x509.load_pem_x509_certificate(pem.encode()) for pem in record["certificates"])
    return KeyInfo(
        id=KeyId(record["id"]),
        label=record["label"],
        key_type=record["key_type"],
        usage=Usage(record["usage"]),
        member=ClientId.parse(record["member"]) if record["member"] else None,
        certificate=certificates[0] if certificates else None,
        chain=certificates[1:],
        status=CertificateStatus(record["status"]) if record["status"] else None,
        active=record["active"],
    )
