"""Who can open encrypted bodies: data keys, one a day and start, wrapped for the log's key and for auditors' keys.

It refuses to know bodies. The log writes with public keys only, so that a running node cannot read what it has logged;
whoever reads brings a private key.
"""

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)
from sqlalchemy import insert

from securityserver.messagelog.bodycipher import KEY_BYTES
from securityserver.messagelog.tables import KEY
from serverkit.database import Database

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
Unwrap = Callable[[Mapping[str, str]], bytes]

_PURPOSE: Final = b"spean-log-key-1"
_LEAST_RSA_BITS: Final = 2048
_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
_OAEP: Final = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


class LogKeyUnusable(Exception):  # noqa: N818 - says what the administrator meets
    """A key that bodies are to be encrypted for, or opened with, cannot be used."""


def read_public_key(pem: bytes, source: str) -> PublicKey:
    """Read a public key that bodies can be encrypted for.

    Raises:
        LogKeyUnusable: it is none, or of a kind that is not supported.
    """
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise LogKeyUnusable(f"{source}: this is no public key; give a PEM file (BEGIN PUBLIC KEY).") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return key
    raise LogKeyUnusable(f"{source}: use an EC key (P-256, P-384, P-521), or RSA of at least {_LEAST_RSA_BITS} bits.")


def fingerprint(key: PublicKey) -> str:
    """Give the name of a public key: SHA-256 over its SubjectPublicKeyInfo, in hex."""
    return hashlib.sha256(_der(key)).hexdigest()


def wrap(data_key: bytes, recipients: Sequence[PublicKey]) -> str:
    """Wrap a data key for each recipient; JSON, by fingerprint."""
    return json.dumps({fingerprint(key): _wrapped(data_key, key) for key in recipients}, sort_keys=True)


def agreed_key(shared: bytes) -> bytes:
    """Give the key-encryption key that comes from an ECDH agreement."""
    return HKDF(hashes.SHA256(), KEY_BYTES, None, _PURPOSE).derive(shared)


class DataKeys:
    """Makes data keys, and remembers those in use.

    Args:
        database: the node's.
        recipients: who will be able to open bodies; at least one.
    """

    def __init__(self, database: Database, recipients: Sequence[PublicKey]) -> None:
        if not recipients:
            raise LogKeyUnusable("Bodies are to be encrypted, and there is no key to encrypt them for.")
        self._database, self._recipients = database, tuple(recipients)
        self._known: dict[str, tuple[int, bytes]] = {}

    def known(self, day: str) -> tuple[int, bytes] | None:
        """Give a day's key and its number, if it has one already."""
        return self._known.get(day)

    def make(self, day: str) -> tuple[int, bytes]:
        """Make a day's key durable, wrapped, and give it with its number. Blocks.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refused.
        """
        data_key = secrets.token_bytes(KEY_BYTES)
        values = {"day": day, "wrapped": wrap(data_key, self._recipients)}
        with self._database.transaction() as connection:
            number: int = connection.execute(insert(KEY).returning(KEY.c.id), values).scalar_one()
        # A day's key stays for those of its records that are still on their way when the next day begins.
        self._known = dict([*self._known.items()][-1:]) | {day: (number, data_key)}
        return number, data_key


class BodyKeys:
    """Private keys that open bodies, by fingerprint.

    Args:
        unwraps: for each fingerprint, what makes a data key of its wrapped form.
    """

    def __init__(self, unwraps: Mapping[str, Unwrap]) -> None:
        self._unwraps = unwraps

    @classmethod
    def of(cls, public: PublicKey, agree: Callable[[ec.EllipticCurvePublicKey], bytes]) -> Self:
        """Take an EC key that another holds: `agree` does its half of ECDH."""
        return cls({fingerprint(public): lambda wrapped: _unwrap_agreed(wrapped, agree)})

    @classmethod
    def from_pem(cls, pem: bytes, password: bytes | None) -> Self:
        """Take an auditor's own private key.

        Raises:
            LogKeyUnusable: it does not load with that password, or is of another kind.
        """
        try:
            key = load_pem_private_key(pem, password)
        except (ValueError, TypeError) as error:
            raise LogKeyUnusable("The private key does not load: check the file and its password.") from error
        if isinstance(key, rsa.RSAPrivateKey):
            return cls({fingerprint(key.public_key()): lambda wrapped: key.decrypt(_field(wrapped, "key"), _OAEP)})
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return cls.of(key.public_key(), lambda other: key.exchange(ec.ECDH(), other))
        raise LogKeyUnusable("The private key is neither an EC nor an RSA key.")

    def unwrap(self, wrapped: str) -> bytes | None:
        """Open a data key; `None` when it was wrapped for others only.

        Raises:
            LogKeyUnusable: what is stored was altered.
        """
        try:
            entries: dict[str, Any] = json.loads(wrapped)
            for name in entries.keys() & self._unwraps.keys():
                return self._unwraps[name](entries[name])
        except (ValueError, KeyError, TypeError, AttributeError, InvalidUnwrap, UnsupportedAlgorithm) as error:
            raise LogKeyUnusable("A wrapped data key of the log was altered; restore a backup.") from error
        return None


def _wrapped(data_key: bytes, key: PublicKey) -> Mapping[str, str]:
    if isinstance(key, rsa.RSAPublicKey):
        return {"key": _text(key.encrypt(data_key, _OAEP))}
    mine = ec.generate_private_key(key.curve)
    wrapped = aes_key_wrap(agreed_key(mine.exchange(ec.ECDH(), key)), data_key)
    return {"ephemeral": _text(_der(mine.public_key())), "key": _text(wrapped)}


def _unwrap_agreed(wrapped: Mapping[str, str], agree: Callable[[ec.EllipticCurvePublicKey], bytes]) -> bytes:
    other = load_der_public_key(_field(wrapped, "ephemeral"))
    if not isinstance(other, ec.EllipticCurvePublicKey):
        raise TypeError("no EC key")
    return aes_key_unwrap(agreed_key(agree(other)), _field(wrapped, "key"))


def _der(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _field(wrapped: Mapping[str, str], name: str) -> bytes:
    try:
        return base64.b64decode(wrapped[name], validate=True)
    except binascii.Error as error:
        raise ValueError(name) from error
