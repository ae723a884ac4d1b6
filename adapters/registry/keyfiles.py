"""Signing keys of an adapter: private keys from PEM files, and public keys as JSON Web Keys.

It refuses every algorithm but ES256 and EdDSA (Ed25519), and private keys that others can read. Message signatures and
access tokens use it; ``/.well-known/jwks.json`` publishes what it gives.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jwt
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from adapters.errors import ConfigError

ALGORITHMS: Final = ("ES256", "EdDSA")
_OTHERS: Final = 0o077
_THUMBPRINT: Final = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}  # RFC 7638, section 3.2; RFC 8037

PublicKey = EllipticCurvePublicKey | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, the algorithm that goes with it, and the name by which others find its public half."""

    private: EllipticCurvePrivateKey | Ed25519PrivateKey
    algorithm: str
    kid: str
    jwk: Mapping[str, Any]

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self.private.public_key()


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key of somebody else, and the only algorithm that it is used with."""

    public: PublicKey
    algorithm: str
    kid: str


def load_signing_key(path: Path, *, config: str, key: str) -> SigningKey:
    """Read a private key in PKCS#8 PEM: EC on P-256, or Ed25519.

    Raises:
        ConfigError: names the configuration file and its key.
    """
    try:
        mode, data = path.stat().st_mode, path.read_bytes()
        private = load_pem_private_key(data, password=None)
    except OSError as error:
        raise ConfigError(config, key, f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(config, key, f"{path} is not an unencrypted private key in PEM") from error
    if mode & _OTHERS:
        raise ConfigError(config, key, f"{path} can be read by others: chmod 600 {path}")
    if isinstance(private, Ed25519PrivateKey):
        return _signing_key(private, "EdDSA", OKPAlgorithm.to_jwk(private.public_key(), as_dict=True))
    if isinstance(private, EllipticCurvePrivateKey) and isinstance(private.curve, SECP256R1):
        return _signing_key(private, "ES256", ECAlgorithm.to_jwk(private.public_key(), as_dict=True))
    raise ConfigError(config, key, f"{path}: the key must be EC on P-256 (ES256) or Ed25519 (EdDSA)")


def read_jwk(data: Mapping[str, Any]) -> VerifyingKey:
    """Read a public key; raises :class:`ValueError` without repeating it."""
    if "d" in data:
        raise ValueError("holds a private key: keep that secret and give its public half")
    try:
        found = jwt.PyJWK(dict(data), algorithm=_algorithm(data)).key
        kid = str(data["kid"]) if "kid" in data else thumbprint(data)
    except (jwt.exceptions.PyJWKError, jwt.exceptions.InvalidKeyError, KeyError, ValueError, TypeError) as error:
        raise ValueError("is not a public key on P-256 or Ed25519") from error
    if not isinstance(found, EllipticCurvePublicKey | Ed25519PublicKey):
        raise ValueError("is not a public key on P-256 or Ed25519")  # noqa: TRY004  # a value of a file, not a type
    return VerifyingKey(found, _algorithm(data), kid)


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The name of a key that only the key itself decides (RFC 7638)."""
    members = {name: jwk[name] for name in _THUMBPRINT[jwk["kty"]]}
    return base64.urlsafe_b64encode(hashlib.sha256(rfc8785.dumps(members)).digest()).rstrip(b"=").decode()


def _algorithm(jwk: Mapping[str, Any]) -> str:
    """The key decides; what a header or a file says of the algorithm is only compared with it."""
    algorithm = {("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}.get((jwk.get("kty"), jwk.get("crv")))  # type: ignore[arg-type]  # anything else is not in it
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        raise ValueError("is not a public key on P-256 or Ed25519")
    return algorithm


def _signing_key(
    private: EllipticCurvePrivateKey | Ed25519PrivateKey, algorithm: str, jwk: dict[str, Any]
) -> SigningKey:
    public = {name: value for name, value in jwk.items() if name in {"kty", "crv", "x", "y"}}
    kid = thumbprint(public)
    return SigningKey(private, algorithm, kid, public | {"kid": kid, "alg": algorithm, "use": "sig"})
