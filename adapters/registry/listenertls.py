"""TLS of an adapter's own port, and which security servers it knows by their certificate.

It refuses old versions of TLS, keys that others can read, and to trust an authority: institutions pin each other's
certificates. Plain HTTP is for loopback; a port that others reach has this.
"""

import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.errors import ConfigError

_OTHERS: Final = 0o077


def listener_context(certificate: Path, key: Path, pinned: Iterable[bytes], *, config: str) -> ssl.SSLContext:
    """Make the context of the port; raises :class:`ConfigError`.

    Args:
        certificate: PEM, the adapter's own first, then what is above it.
        key: PKCS#8 PEM without a password, for its owner only.
        pinned: certificates (DER) that security servers may show; without one nobody is asked for a certificate.
        config: what messages call the adapter file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if key.stat().st_mode & _OTHERS:
            raise ConfigError(config, "tls.key_file", f"{key} can be read by others: chmod 600 {key}")
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise ConfigError(config, "tls", f"{certificate} and {key} are no certificate and its key in PEM") from error
    for each in pinned:
        context.load_verify_locations(cadata=each)
        # A caller with a token shows none; one that shows another than these does not get in.
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # what is pinned is trusted itself, whoever issued it
    return context


def read_certificates(paths: Iterable[Path], *, config: str) -> frozenset[bytes]:
    """Read pinned certificates as DER; raises :class:`ConfigError`."""
    return frozenset(_read(path, config) for path in paths)


def peer_certificate(request: web.Request) -> bytes | None:
    """Return the certificate (DER) that the caller has shown and holds the key of; None when it showed none."""
    transport = request.transport
    shown = transport.get_extra_info("ssl_object") if transport is not None else None
    certificate: bytes | None = shown.getpeercert(binary_form=True) if isinstance(shown, ssl.SSLObject) else None
    return certificate


def _no_password() -> str:
    """OpenSSL would ask on the terminal, and a service would wait for ever."""
    raise ValueError("the key has a password")


def _read(path: Path, config: str) -> bytes:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)
    except (OSError, ValueError) as error:
        key = "callers.security_server_certificates"
        raise ConfigError(config, key, f"{path} is no certificate in PEM that can be read") from error
