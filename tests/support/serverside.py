"""The other side's TLS listeners in tests: servers that demand a certificate of the approved authorities."""

import ssl
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from securityserver.tls import NO_CHECK_TIME, PEER_SUITES


def strict_server_context(authorities: Iterable[x509.Certificate]) -> ssl.SSLContext:
    """A listener of the standard library, as other software has them; the caller loads its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(PEER_SUITES)
    context.verify_mode = ssl.CERT_REQUIRED
    ders = b"".join({item.public_bytes(Encoding.DER) for item in authorities})
    if ders:
        context.load_verify_locations(cadata=ders)
    context.verify_flags = ssl.VerifyFlags(
        context.verify_flags | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
    )
    return context
