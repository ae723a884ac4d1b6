"""All constants and contexts of TLS, in both directions: between servers, and with the institution's own systems.

It refuses to know keys, messages and who may speak for whom: that is judged after the handshake, by ``peers`` and
``provider``. ``app`` builds listeners with it, ``peers`` and ``services`` their connections.
"""

import ssl
from collections.abc import Callable, Iterable
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

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


class _Reporting(ssl.SSLObject):
    """A TLS connection that says why its handshake failed, where asyncio would drop it without a word."""

    def do_handshake(self) -> None:
        """Shake hands; report why it failed, if it does."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            report = getattr(self.context, "report", None)
            if report is not None:
                report(getattr(error, "verify_message", "") or error.reason or "unknown")
            raise


class NodeContext(ssl.SSLContext):
    """A TLS context of this node; ``report`` hears the reason of each failed handshake."""

    sslobject_class = _Reporting
    report: Callable[[str], None] | None

    def __new__(cls, protocol: int, report: Callable[[str], None] | None = None) -> Self:
        """Make a context; its class is the interpreter's own, which takes its arguments here."""
        context = super().__new__(cls, protocol)
        context.report = report
        return context

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


def peer_server_context(
    authorities: Iterable[x509.Certificate], report: Callable[[str], None] | None = None
) -> NodeContext:
    """Build the context of the message port: the peer must show a certificate of an approved authority."""
    context = _server_context(PEER_SUITES, ssl.CERT_REQUIRED, report)
    context.trust(authorities)
    return context


def client_server_context(
    registered: Iterable[x509.Certificate], report: Callable[[str], None] | None = None
) -> NodeContext:
    """Build the context of the HTTPS port for the institution's systems; a certificate shown must be registered."""
    context = _server_context(CLIENT_SUITES, ssl.CERT_OPTIONAL, report)
    context.trust(registered)
    return context


def service_context(pinned: x509.Certificate | None, *, verify: bool) -> NodeContext:
    """Build the context for calls to the institution's own services; the caller loads its key into it.

    Args:
        pinned: the service's own certificate; None with ``verify`` means the machine's authorities and the host name.
        verify: False when the administrator has said that the network between is trusted.
    """
    context = NodeContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif pinned is not None:
        context.check_hostname = False
        context.trust((pinned,))
    else:
        context.load_default_certs()
    return context


def switching(current: Callable[[], NodeContext | None], base: NodeContext) -> NodeContext:
    """Let ``base``, which a listener keeps for life, serve each new connection with the context that is current then.

    OpenSSL takes protocol versions, suites and whether a certificate is asked for from ``base``; key, certificate and
    the authorities to trust from ``current``. No current one: the handshake is refused.
    """

    def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> int | None:
        now = current()
        if now is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = now
        return None

    base.sni_callback = choose
    return base


def peer_certificate(connection: object) -> bytes | None:
    """Give the certificate that the other side showed, as DER; None when there is no TLS or it showed none."""
    return connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLObject) else None


def _server_context(suites: str, verify: ssl.VerifyMode, report: Callable[[str], None] | None) -> NodeContext:
    context = NodeContext(ssl.PROTOCOL_TLS_SERVER, report)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suites)
    context.verify_mode = verify
    return context
