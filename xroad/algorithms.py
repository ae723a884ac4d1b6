"""The digests and signature algorithms that Spean knows, as frozen allow-lists keyed by their XML-DSig names.

It refuses to know keys at rest, certificates and XML: what is not listed here does not exist for the rest of `xroad`.
Signing and verifying of messages, time-stamps and configurations look their algorithms up here and nowhere else.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from xroad.errors import UnsupportedAlgorithm

MIN_RSA_BITS = 2048  # NIST SP 800-131A: less is not acceptable for signatures
MAX_RSA_BITS = 8192  # verifying costs the peer's choice of size: a bound against being kept busy
ALLOWED_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})

_XMLENC = "http://www.w3.org/2001/04/xmlenc#"
_DSIG_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_DSIG_MORE_2007 = "http://www.w3.org/2007/05/xmldsig-more#"


class Hasher(Protocol):
    """What `hashlib` gives: bytes in, a digest out."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""


@dataclass(frozen=True, slots=True)
class DigestAlgorithm:
    """A digest, its `hashlib` name and its XML name."""

    name: str
    uri: str
    primitive: hashes.HashAlgorithm = field(compare=False, repr=False)

    def digest(self, data: bytes) -> bytes:
        """Return the digest of data."""
        return _HASHLIB[self.name](data).digest()

    def new(self) -> Hasher:
        """Return an incremental digest, for bodies that are streamed."""
        return _HASHLIB[self.name]()


# By name `hashlib` would look each of them up again, at every digest.
_HASHLIB = MappingProxyType({"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512})
# Making one costs as much as the digest of a small message.
_ECDSA = MappingProxyType({each.name: ec.ECDSA(each) for each in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())})

SHA256 = DigestAlgorithm("sha256", _XMLENC + "sha256", hashes.SHA256())
SHA384 = DigestAlgorithm("sha384", _DSIG_MORE + "sha384", hashes.SHA384())
SHA512 = DigestAlgorithm("sha512", _XMLENC + "sha512", hashes.SHA512())

# SHA-1, MD5 and SHA-224 are left out on purpose: a collision would let one signature stand for two messages.
DIGESTS: Mapping[str, DigestAlgorithm] = MappingProxyType({each.uri: each for each in (SHA256, SHA384, SHA512)})

Scheme = Literal["pkcs1", "pss", "ecdsa"]


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """A signature algorithm: its XML name, the digest within it, and the kind of key and padding."""

    name: str
    uri: str
    digest: DigestAlgorithm
    scheme: Scheme

    def sign(self, private_key: PrivateKeyTypes, data: bytes) -> bytes:
        """Sign data; ECDSA values are DER, as tokens give them.

        Raises:
            UnsupportedAlgorithm: the key is not of the algorithm's kind.
        """
        if self.scheme == "ecdsa" and isinstance(private_key, ec.EllipticCurvePrivateKey):
            return private_key.sign(data, _ECDSA[self.digest.name])
        if self.scheme != "ecdsa" and isinstance(private_key, rsa.RSAPrivateKey):
            return private_key.sign(data, self._padding(), self.digest.primitive)
        raise self._wrong_key()

    def verify(self, public_key: PublicKeyTypes, signature: bytes, data: bytes) -> None:
        """Check a signature over data; ECDSA values are DER.

        Raises:
            UnsupportedAlgorithm: the key is not of the algorithm's kind (an RSA key under an ECDSA name).
            cryptography.exceptions.InvalidSignature: the signature does not hold.
        """
        if self.scheme == "ecdsa" and isinstance(public_key, ec.EllipticCurvePublicKey):
            public_key.verify(signature, data, _ECDSA[self.digest.name])
        elif self.scheme != "ecdsa" and isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, data, self._padding(), self.digest.primitive)
        else:
            raise self._wrong_key()

    def _padding(self) -> padding.PSS | padding.PKCS1v15:
        if self.scheme == "pkcs1":
            return padding.PKCS1v15()
        # RFC 6931 2.3.10: MGF1 with the same digest, salt as long as the digest
        return padding.PSS(padding.MGF1(self.digest.primitive), padding.PSS.DIGEST_LENGTH)

    def _wrong_key(self) -> UnsupportedAlgorithm:
        return UnsupportedAlgorithm(f"The key is not of the kind that {self.name} needs: use the key's own algorithm.")


RSA_SHA256 = SignatureAlgorithm("rsa-sha256", _DSIG_MORE + "rsa-sha256", SHA256, "pkcs1")
RSA_SHA384 = SignatureAlgorithm("rsa-sha384", _DSIG_MORE + "rsa-sha384", SHA384, "pkcs1")
RSA_SHA512 = SignatureAlgorithm("rsa-sha512", _DSIG_MORE + "rsa-sha512", SHA512, "pkcs1")
RSA_PSS_SHA256 = SignatureAlgorithm("rsa-pss-sha256", _DSIG_MORE_2007 + "sha256-rsa-MGF1", SHA256, "pss")
RSA_PSS_SHA384 = SignatureAlgorithm("rsa-pss-sha384", _DSIG_MORE_2007 + "sha384-rsa-MGF1", SHA384, "pss")
RSA_PSS_SHA512 = SignatureAlgorithm("rsa-pss-sha512", _DSIG_MORE_2007 + "sha512-rsa-MGF1", SHA512, "pss")
ECDSA_SHA256 = SignatureAlgorithm("ecdsa-sha256", _DSIG_MORE + "ecdsa-sha256", SHA256, "ecdsa")
ECDSA_SHA384 = SignatureAlgorithm("ecdsa-sha384", _DSIG_MORE + "ecdsa-sha384", SHA384, "ecdsa")
ECDSA_SHA512 = SignatureAlgorithm("ecdsa-sha512", _DSIG_MORE + "ecdsa-sha512", SHA512, "ecdsa")

SIGNATURES: Mapping[str, SignatureAlgorithm] = MappingProxyType(
    {
        each.uri: each
        for each in (
            RSA_SHA256,
            RSA_SHA384,
            RSA_SHA512,
            RSA_PSS_SHA256,
            RSA_PSS_SHA384,
            RSA_PSS_SHA512,
            ECDSA_SHA256,
            ECDSA_SHA384,
            ECDSA_SHA512,
        )
    }
)


def digest_by_uri(uri: str) -> DigestAlgorithm:
    """Return the allowed digest of this XML name.

    Raises:
        UnsupportedAlgorithm: it is not on the list.
    """
    found = DIGESTS.get(uri)
    if found is None:
        raise UnsupportedAlgorithm(f"The digest {uri[:100]!r} is not allowed: use SHA-256, SHA-384 or SHA-512.")
    return found


def signature_algorithm_by_uri(uri: str) -> SignatureAlgorithm:
    """Return the allowed signature algorithm of this XML name.

    Raises:
        UnsupportedAlgorithm: it is not on the list.
    """
    found = SIGNATURES.get(uri)
    if found is None:
        raise UnsupportedAlgorithm(
            f"The signature algorithm {uri[:100]!r} is not allowed: use RSA or ECDSA with SHA-256 or longer."
        )
    return found


def default_algorithm(public_key: PublicKeyTypes) -> SignatureAlgorithm:
    """Return what a key signs messages with: SHA-512 and the key's own scheme, as X-Road's default is.

    Raises:
        UnsupportedAlgorithm: neither an RSA nor an elliptic-curve key.
    """
    if isinstance(public_key, rsa.RSAPublicKey):
        return RSA_SHA512
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return ECDSA_SHA512
    raise UnsupportedAlgorithm("Only RSA and elliptic-curve keys can sign messages.")


def check_key_strength(public_key: PublicKeyTypes) -> None:
    """Refuse keys that can be broken, and keys so large that verifying keeps a server busy.

    Raises:
        UnsupportedAlgorithm: not RSA of 2048 to 8192 bits, nor a curve of the list.
    """
    if isinstance(public_key, rsa.RSAPublicKey) and MIN_RSA_BITS <= public_key.key_size <= MAX_RSA_BITS:
        return
    if isinstance(public_key, ec.EllipticCurvePublicKey) and public_key.curve.name in ALLOWED_CURVES:
        return
    raise UnsupportedAlgorithm(
        f"The key is not allowed: RSA of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits or a NIST curve from P-256 up is needed."
    )


def ecdsa_der_to_raw(signature: bytes, curve_bits: int) -> bytes:
    """Turn a token's DER value into r||s of fixed width, as XML-DSig writes ECDSA (RFC 6931, 2.3.6)."""
    width = (curve_bits + 7) // 8
    r, s = decode_dss_signature(signature)
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


def ecdsa_raw_to_der(signature: bytes) -> bytes:
    """Turn r||s into DER, as `cryptography` verifies it."""
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
