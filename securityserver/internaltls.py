"""The TLS key that a node shows inside its own institution: to clients on the HTTPS port, and to services.

It refuses to know the instance: no authority signs it, institutions pin it. ``init_node`` makes it, the listeners and
the service client load it.
"""

import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

# Pinned by people in other systems, so that it lives long; a new one is one command away.
VALIDITY: Final = timedelta(days=20 * 365)
BACKDATED: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class InternalKey:
    """The key and certificate files of one directory."""

    directory: Path

    @property
    def certificate_file(self) -> Path:
        """The certificate, PEM: what an institution's systems pin."""
        return self.directory / "certificate.pem"

    @property
    def _key_file(self) -> Path:
        return self.directory / "key.pem"

    def load_into(self, context: ssl.SSLContext | SSL.Context) -> None:
        """Load key and certificate into a TLS context; none yet made: leave the context without."""
        if not self.certificate_file.exists():
            return
        if isinstance(context, SSL.Context):
            context.use_certificate_chain_file(str(self.certificate_file))
            context.use_privatekey_file(str(self._key_file))
        else:
            context.load_cert_chain(self.certificate_file, self._key_file)

    def create(self, name: str, at: datetime) -> None:
        """Make a key and its self-signed certificate, unless they are there; only the owner can read the key."""
        if self.certificate_file.exists():
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        self._key_file.touch(mode=0o600)
        self._key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.certificate_file.write_bytes(_self_signed(key, name, at).public_bytes(Encoding.PEM))


def _self_signed(key: ec.EllipticCurvePrivateKey, name: str, at: datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - BACKDATED)
        .not_valid_after(at + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
