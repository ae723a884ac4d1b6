"""Private keys and the certificates that fit them.

It refuses to know where keys lie and who uses them. The software token makes and checks its keys with it.
"""

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.errors import TokenError
from pki.token_index import KEY_TYPES, KeyType, Usage
from xroad.certificates import is_auth_certificate, is_signing_certificate

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

_PUBLIC_EXPONENT: Final = 65537


def generate(key_type: KeyType) -> PrivateKey:
    """Make a new key.

    Raises:
        TokenError: there is no such key type.
    """
    match key_type:
        case "ec-p256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ec-p384":
            return ec.generate_private_key(ec.SECP384R1())
        case "rsa-2048" | "rsa-3072" | "rsa-4096":
            return rsa.generate_private_key(
                public_exponent=_PUBLIC_EXPONENT, key_size=int(key_type.removeprefix("rsa-"))
            )
    raise TokenError(f"There is no key type {key_type!r}: choose one of {', '.join(KEY_TYPES)}.")


def public_bytes(key: object) -> bytes:
    """Give the public key as SubjectPublicKeyInfo (DER), by which two keys are compared.

    Raises:
        TokenError: it is neither RSA nor EC.
    """
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise TokenError("The certificate's key is neither RSA nor EC: the token makes no others.")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def parse_certificates(data: bytes) -> list[x509.Certificate]:
    """Read one certificate in DER, or one and more in PEM, in their order.

    Raises:
        TokenError: there is none.
    """
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificates(data)
        return [x509.load_der_x509_certificate(data)]
    except ValueError as error:
        raise TokenError(
            "The file holds no X.509 certificate in PEM or DER: import what the authority sent back."
        ) from error


def require_usage(certificate: x509.Certificate, usage: Usage) -> None:
    """Refuse a certificate whose key usage does not suit what the key is for.

    Raises:
        TokenError: it does not.
    """
    # An authentication certificate on a signing key would be refused by every peer, one exchange later.
    if usage is Usage.AUTHENTICATION and not is_auth_certificate(certificate):
        raise TokenError("That is no authentication certificate, and the key is for authentication: request it anew.")
    if usage is Usage.SIGNING and not is_signing_certificate(certificate):
        raise TokenError(
            "That is no signing certificate (non-repudiation), and the key is for signing: request it anew."
        )
