"""All constants of TLS, and the contexts for connections that the node makes: to other servers, and to services.

It refuses to know keys, messages and who may speak for whom: that is judged after the handshake, by ``peers`` and
``provider``. ``contexts``, ``peers`` and ``services`` build with it; listeners are ``listenertls``' matter.
"""

import ssl
from collections.abc import Iterable
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from securityserver.listenertls import Served

# The reference's suites between servers; two AEAD suites stand before them for peers that have them, and TLS 1.3 has
# its own.
PEER_SUITES: Final = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-SHA384:"
    "DHE-RSA-AES256-SHA256:"
    "ECDHE-ECDSA-AES256-SHA384"
)
# The reference's suites with an institution's own systems, those without forward secrecy or AEAD left out.
CLIENT_SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module does not name. A certificate that is expired, or not valid
# by a clock that is wrong, is refused by our own check of the same certificate, at the time that the rest of the
# exchange is judged at, with a code and an id that both sides find; in the handshake it would be a bare alert.
NO_CHECK_TIME: Final = 0x200000
# A TLS handshake of an incoming connection: a client that takes longer holds a slot for nothing.
HANDSHAKE_SECONDS: Final = 10.0


class NodeContext(ssl.SSLContext):
    """A TLS context of this node, for connections that it makes."""

    def trust(self, certificates: Iterable[x509.Certificate]) -> None:
        """Trust these and nothing else; an intermediate needs no chain above it."""
        ders = b"".join({item.public_bytes(Encoding.DER) for item in certificates})
        if ders:
            self.load_verify_locations(cadata=ders)
        self.verify_flags = ssl.VerifyFlags(
            self.verify_flags | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
        )


def peer_client_context(authorities: Iterable[x509.Certificate]) -> NodeContext:
    """Build the context for connections to other security servers; the caller loads its key into it."""
    context = NodeContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(PEER_SUITES)
    # Servers are known by their registered certificates, not by names in them: the global configuration has no such
    # names.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.trust(authorities)
    return context


def service_context(pinned: x509.Certificate | None) -> NodeContext:
    """Build the context for calls to the institution's own services; the caller loads its key into it.

    Args:
        pinned: the service's own certificate; None means the machine's authorities and the host name.
    """
    context = NodeContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if pinned is not None:
        context.check_hostname = False
        context.trust((pinned,))
    else:
        context.load_default_certs()
    return context


def peer_certificate(connection: object) -> bytes | None:
    """Give the certificate that the other side showed, as DER; None when there is no TLS or it showed none."""
    if isinstance(connection, Served):
        return connection.certificate
    return connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLObject) else None
