"""The software token: a directory of private keys under a PIN.

It refuses to know what is signed and who may ask for it. It stands behind the ``Signer`` seam, where a hardware token
can take its place, and is opened once when a server starts.

Layout: ``token.json`` is the index (see ``token_index``); ``keys/<id>.pem`` is one key as encrypted PKCS#8, written
once and never again. PKCS#8 and not PKCS#12, because OpenSSL then loads the file into a TLS context as it lies, and
because the MAC of a PKCS#12 file written here is stretched with 2,048 rounds only, which would make a stolen file's PIN
cheap to guess; ``export_pkcs12`` writes PKCS#12 for a move to other software.

Signing blocks the event loop for the length of the operation, or costs two thread switches. Measured on one two-core
machine (SHA-512 of 2.5 kB; inline / through an executor / 400 at once through an executor, per signature): P-256 76 /
189 / 120 µs, P-384 394 / 546 / 258 µs, RSA 2048 453 / 743 / 399 µs, RSA 3072 1.4 / 1.6 / 0.8 ms, RSA 4096 2.4 / 3.4 /
1.8 ms. So keys up to RSA 2048 sign inline, and longer RSA keys in the executor.
"""

import asyncio
import dataclasses
import re
import secrets
import ssl
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from OpenSSL import SSL

from pki import files, token_index
from pki.errors import TokenDamaged, TokenError, UnknownKey
from pki.keys import PrivateKey, PublicKey, generate, parse_certificates, public_bytes, require_usage
from pki.pin import Pin
from pki.token_index import KEY_TYPES, CertificateStatus, KeyId, KeyInfo, KeyType, Seal, Usage
from xroad.algorithms import SignatureAlgorithm
from xroad.identifiers import ClientId

__all__ = [
    "KEY_TYPES",
    "CertificateStatus",
    "KeyId",
    "KeyInfo",
    "KeyType",
    "PrivateKey",
    "PublicKey",
    "Signer",
    "SoftwareToken",
    "Usage",
]

_LONGEST_INLINE_RSA: Final = 2048
_LABEL: Final = re.compile(r"[\w .:/@-]{1,200}")
_INDEX: Final = "token.json"
_KEYS: Final = "keys"

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Signer(Protocol):
    """The seam behind which keys live."""

    async def sign(self, key_id: KeyId, data: bytes, algorithm: SignatureAlgorithm) -> bytes:
        """Sign ``data`` (hashed here): RSA as the algorithm says, ECDSA in DER.

        Raises:
            UnknownKey: there is no such key.
        """
        ...


class SignsWithKey(Protocol[T_co]):
    """A builder of ``cryptography``: of requests, certificates, revocation lists, OCSP responses."""

    def sign(self, private_key: PrivateKey, algorithm: hashes.SHA256 | hashes.SHA384, /) -> T_co:
        """Build and sign."""
        ...


class SoftwareToken:
    """An opened token; make one with ``create`` or ``open``.

    All methods but ``sign`` may block on the disk for some milliseconds. Several processes may have the token open:
    writers take turns, and a writer sees what others wrote.
    """

    def __init__(self, directory: Path, seal: Seal, keys: Sequence[KeyInfo]) -> None:
        self._directory = directory
        self._seal = seal
        self._keys: dict[KeyId, KeyInfo] = {}
        self._all: tuple[KeyInfo, ...] = ()
        self._private: dict[KeyId, PrivateKey] = {}
        self._take(keys)

    @classmethod
    def create(cls, directory: Path, pin: Pin) -> "SoftwareToken":
        """Make an empty token in a new or empty directory.

        Raises:
            PinRefused: the PIN is too short for a new token.
            TokenError: the directory holds something, or cannot be written.
        """
        pin.require_strength()
        try:
            files.make_private_directory(directory)
            (directory / _KEYS).mkdir(mode=0o700)
            seal = Seal.new(pin)
            with files.exclusive(directory):
                files.write_atomically(directory / _INDEX, token_index.encode(seal, ()))
        except OSError as error:
            raise TokenError(f"No token can be made in {directory}: {error.strerror or error}") from error
        return cls(directory, seal, ())

    @classmethod
    def open(cls, directory: Path, pin: Pin) -> "SoftwareToken":
        """Open the token and load its keys, once.

        Raises:
            WrongPin: the PIN is another one.
            TokenPermissions: the directory or a file in it is open to other users.
            TokenDamaged: a file is missing, altered or unreadable.
        """
        try:
            files.require_private(directory)
            with files.exclusive(directory):
                files.sweep(directory)
                files.sweep(directory / _KEYS)
            seal, keys = token_index.decode(_read(directory / _INDEX), pin=pin)
        except OSError as error:
            raise TokenDamaged(f"The token in {directory} cannot be read: {error.strerror}.") from error
        return cls(directory, seal, keys)

    @property
    def keys(self) -> tuple[KeyInfo, ...]:
        """All keys, in the order of their making; the same object until one of them changes."""
        return self._all

    def key(self, key_id: KeyId) -> KeyInfo:
        """Tell of one key.

        Raises:
            UnknownKey: there is none with that id.
        """
        try:
            return self._keys[key_id]
        except KeyError as error:
            raise UnknownKey(f"The token holds no key {key_id}: list its keys to see their ids.") from error

    def find(self, label: str) -> KeyInfo:
        """Tell of the key with that label.

        Raises:
            UnknownKey: there is none.
        """
        for key in self._keys.values():
            if key.label == label:
                return key
        raise UnknownKey(f"The token holds no key labelled {label!r}: list its keys to see their labels.")

    def certificate(self, key_id: KeyId) -> x509.Certificate:
        """Give the key's certificate.

        Raises:
            UnknownKey: there is no such key, or it has no certificate yet.
        """
        certificate = self.key(key_id).certificate
        if certificate is None:
            raise UnknownKey(f"The key {key_id} has no certificate yet: request one and import it.")
        return certificate

    def public_key(self, key_id: KeyId) -> PublicKey:
        """Give the public half of the key."""
        return self._of(key_id).public_key()

    async def sign(self, key_id: KeyId, data: bytes, algorithm: SignatureAlgorithm) -> bytes:
        """Sign as ``Signer`` says; the module's docstring tells which keys sign in a thread."""
        key = self._of(key_id)
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size > _LONGEST_INLINE_RSA:
            return await asyncio.get_running_loop().run_in_executor(None, algorithm.sign, key, data)
        return algorithm.sign(key, data)

    def agree(self, key_id: KeyId, other: ec.EllipticCurvePublicKey) -> bytes:
        """Do this key's half of an ECDH agreement (SP 800-56A) with another's public key, and give the shared secret.

        Raises:
            UnknownKey: there is no such key, or it is no EC key of the message log.
        """
        key = self._of(key_id)
        # A signing key must never do anything but sign: who gets it to compute otherwise could learn about it.
        if self.key(key_id).usage is not Usage.LOG or not isinstance(key, ec.EllipticCurvePrivateKey):
            raise UnknownKey(f"The key {key_id} is not the message log's.")
        return key.exchange(ec.ECDH(), other)

    def sign_builder(self, key_id: KeyId, builder: SignsWithKey[T]) -> T:
        """Sign what a builder holds, with SHA-384 for P-384 and SHA-256 otherwise."""
        key = self._of(key_id)
        strong = isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256  # noqa: PLR2004  bits of P-256
        return builder.sign(key, hashes.SHA384() if strong else hashes.SHA256())

    def load_into(self, context: ssl.SSLContext | SSL.Context, key_id: KeyId) -> None:
        """Give a TLS context the key with its certificate and intermediates; the key is nowhere on disk in plain.

        Raises:
            UnknownKey: there is no such key, or it has no certificate yet.
            TokenDamaged: the key file is missing or altered.
        """
        certificates = (self.certificate(key_id), *self.key(key_id).chain)
        if isinstance(context, SSL.Context):
            self._load_into_listener(context, key_id, certificates)
            return
        with tempfile.NamedTemporaryFile(suffix=".pem") as public:
            public.write(b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates))
            public.flush()
            try:
                context.load_cert_chain(public.name, self._key_file(key_id), self._seal.passphrase())
            except OSError as error:  # ssl.SSLError is one too
                raise TokenDamaged(f"The file of key {key_id} does not load: restore it from a backup.") from error

    def _load_into_listener(
        self, context: SSL.Context, key_id: KeyId, certificates: Sequence[x509.Certificate]
    ) -> None:
        certificate, *chain = certificates
        context.use_certificate(certificate)
        for each in chain:
            context.add_extra_chain_cert(each)
        context.use_privatekey(self._of(key_id))

    def generate_key(self, label: str, key_type: KeyType, *, usage: Usage, member: ClientId | None = None) -> KeyInfo:
        """Make a key; on return it is on disk.

        Raises:
            TokenError: the label is taken or not usable, or the key type is unknown.
        """
        if not _LABEL.fullmatch(label):
            raise TokenError("A key's label has 1 to 200 letters, digits, spaces or . : / @ - _")
        private = generate(key_type)
        info = KeyInfo(KeyId(secrets.token_hex(8)), label, key_type, usage, member)
        self._change(lambda keys: self._appended(keys, info, private))
        return self._keys[info.id]

    def import_certificate(self, data: bytes, chain: Sequence[x509.Certificate] = ()) -> KeyInfo:
        """Take a certificate (PEM, with or without intermediates after it, or DER) for the key that it belongs to.

        Raises:
            TokenError: it is no certificate, belongs to no key here, or is for another usage than the key.
        """
        certificate, *following = parse_certificates(data)
        info = self._key_for(certificate)
        require_usage(certificate, info.usage)
        taken = dataclasses.replace(
            info, certificate=certificate, chain=(*following, *chain), status=CertificateStatus.SAVED, active=True
        )
        return self._replace(taken)

    def set_status(self, key_id: KeyId, status: CertificateStatus, *, active: bool | None = None) -> KeyInfo:
        """Note where the key's certificate stands with its registration."""
        self.certificate(key_id)
        info = self.key(key_id)
        return self._replace(dataclasses.replace(info, status=status, active=info.active if active is None else active))

    def delete_key(self, key_id: KeyId) -> None:
        """Forget the key for good, on disk too."""
        self.key(key_id)
        self._change(lambda keys: tuple(key for key in keys if key.id != key_id))
        self._key_file(key_id).unlink(missing_ok=True)

    def change_pin(self, pin: Pin) -> None:
        """Put the token under another PIN, in one atomic step."""
        pin.require_strength()
        seal = Seal.wrapping(self._seal.master, pin)
        with files.exclusive(self._directory):
            _, keys = token_index.decode(_read(self._directory / _INDEX), seal=self._seal)
            files.write_atomically(self._directory / _INDEX, token_index.encode(seal, keys))
        self._seal = seal

    def export_pkcs12(self, key_id: KeyId, password: Pin) -> bytes:
        """Give key and certificates as PKCS#12 under a password of its own, for a move to other software."""
        info = self.key(key_id)
        encryption = BestAvailableEncryption(password.reveal())
        return pkcs12.serialize_key_and_certificates(
            info.label.encode(), self._of(key_id), info.certificate, info.chain or None, encryption
        )

    def _of(self, key_id: KeyId) -> PrivateKey:
        self.key(key_id)
        return self._private[key_id]

    def _key_file(self, key_id: KeyId) -> Path:
        return self._directory / _KEYS / f"{key_id}.pem"

    def _key_for(self, certificate: x509.Certificate) -> KeyInfo:
        wanted = public_bytes(certificate.public_key())
        for key_id, private in self._private.items():
            if public_bytes(private.public_key()) == wanted:
                return self._keys[key_id]
        raise TokenError("No key of this token belongs to that certificate: was it requested from another token?")

    def _appended(self, keys: tuple[KeyInfo, ...], info: KeyInfo, private: PrivateKey) -> tuple[KeyInfo, ...]:
        if any(key.label == info.label for key in keys):
            raise TokenError(f"The token has a key labelled {info.label!r} already: choose another label.")
        encryption = BestAvailableEncryption(self._seal.passphrase())
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        # Key first, index second: a crash between leaves a key that nothing names, never a name without its key.
        files.write_atomically(self._key_file(info.id), pem)
        return (*keys, info)

    def _replace(self, info: KeyInfo) -> KeyInfo:
        self._change(lambda keys: tuple(info if key.id == info.id else key for key in keys))
        return self.key(info.id)

    def _change(self, change: Callable[[tuple[KeyInfo, ...]], tuple[KeyInfo, ...]]) -> None:
        path = self._directory / _INDEX
        try:
            with files.exclusive(self._directory):
                # Read again under the lock: what another process wrote since must not be undone.
                self._seal, present = token_index.decode(_read(path), seal=self._seal)
                keys = change(present)
                files.write_atomically(path, token_index.encode(self._seal, keys))
        except OSError as error:
            raise TokenError(f"The token in {self._directory} cannot be written: {error.strerror}.") from error
        self._take(keys)

    def _take(self, keys: Sequence[KeyInfo]) -> None:
        private = {key.id: self._private.get(key.id) or self._load(key) for key in keys}
        self._keys, self._private = {key.id: key for key in keys}, private
        self._all = tuple(self._keys.values())

    def _load(self, info: KeyInfo) -> PrivateKey:
        path = self._key_file(info.id)
        try:
            key = load_pem_private_key(_read(path), self._seal.passphrase())
        except (OSError, ValueError, TypeError) as error:
            raise TokenDamaged(f"The key file {path} is missing or altered: restore it from a backup.") from error
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise TokenDamaged(f"The key file {path} holds a key of another type than the token makes.")
        if info.certificate and public_bytes(info.certificate.public_key()) != public_bytes(key.public_key()):
            raise TokenDamaged(
                f"The key file {path} holds another key than the certificate's: restore it from a backup."
            )
        return key


def _read(path: Path) -> bytes:
    files.require_private(path)
    return path.read_bytes()
