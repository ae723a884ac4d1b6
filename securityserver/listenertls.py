"""TLS for the node's listeners: any certificate is let in with proof of its key, and judged after the handshake.

It refuses to know which certificates are good: a handshake can only answer a bad one with an alert that tells neither
why nor an id, so the pipelines judge it and answer with a fault. ``contexts`` builds its keys; asyncio drives it.

The standard library's contexts cannot accept a certificate that does not verify, and pyOpenSSL's can; what is here
stands between it and asyncio, which asks a context for an object that it gives bytes to and takes bytes from.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

# A TLS record's payload: reading more at once would only set memory aside.
RECORD_BYTES: Final = 16 * 1024
# What a memory BIO is emptied by; it gives all that it has, up to this.
_DRAIN_BYTES: Final = 64 * 1024
# OpenSSL resumes sessions with client certificates only inside a named context; the name means nothing.
_SESSION_CONTEXT: Final = b"spean"
_OPTIONS: Final = (
    SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_SINGLE_ECDH_USE | SSL.OP_NO_RENEGOTIATION
)

# Gives the context of the moment, None while there is none.
Current = Callable[[], SSL.Context | None]
Report = Callable[[str], None]


def server_context(suites: str) -> SSL.Context:
    """Build a context, which the caller loads a key into: it asks for a certificate, and takes any or none.

    Args:
        suites: of TLS 1.2, in OpenSSL's names; TLS 1.3 has its own.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(suites.encode())
    context.set_options(_OPTIONS)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_id(_SESSION_CONTEXT)
    # The other side must still prove that the certificate's key is its own: that check is not this callback's.
    context.set_verify(SSL.VERIFY_PEER, _let_in)
    return context


def _let_in(*_about_the_certificate: object) -> bool:
    return True


class ListenerContext(ssl.SSLContext):
    """What a listener keeps for life: each new connection gets the context that is current then."""

    current: Current
    report: Report

    def __new__(cls, current: Current, report: Report) -> Self:
        """Make a context; its class is the interpreter's own, which takes its arguments here.

        Args:
            current: gives the context of the moment; no current one: the handshake is refused.
            report: hears the reason of each failed handshake.
        """
        context = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        context.current, context.report = current, report
        return context

    def wrap_bio(  # type: ignore[override]  # asyncio takes what it gets, and uses of it what `Served` has
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002  # the interpreter's signature
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> "Served":
        """Begin a connection; asyncio calls it when one has been accepted."""
        if not server_side or server_hostname is not None or session is not None:
            raise ValueError("this context is a listener's")
        now = self.current()
        if now is None:
            # Without a key the handshake fails as soon as the other side has said what it wants.
            return Served(SSL.Connection(server_context("DEFAULT")), incoming, outgoing, self._tell_that_none_is)
        return Served(SSL.Connection(now), incoming, outgoing, self.report)

    def _tell_that_none_is(self, _reason: str) -> None:
        self.report("this server has no certificate yet")


class Served:
    """One accepted connection, with the methods of ``ssl.SSLObject`` that asyncio and this node use.

    Args:
        connection: without a socket.
        incoming: what came from the other side.
        outgoing: what is to go there.
        report: hears why the handshake failed, if it does.
    """

    def __init__(
        self, connection: SSL.Connection, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, report: Report
    ) -> None:
        self._connection, self._incoming, self._outgoing, self._report = connection, incoming, outgoing, report
        # What the other side showed, DER. Nobody has verified it yet.
        self.certificate: bytes | None = None
        connection.set_accept_state()

    def do_handshake(self) -> None:
        """Go on with the handshake; raises ``ssl.SSLWantReadError`` while it is not complete."""
        self._take_in()
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            raise ssl.SSLWantReadError from None
        except SSL.Error as error:
            reason = _reason(error)
            self._report(reason)
            raise ssl.SSLError(reason) from error
        finally:
            self._give_out()
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        self.certificate = None if certificate is None else certificate.public_bytes(Encoding.DER)

    def read(self, size: int = RECORD_BYTES, buffer: memoryview | bytearray | None = None) -> bytes | int:
        """Give what came, at most one record: bytes, or their number when a buffer is given; none at the end."""
        self._take_in()
        try:
            if buffer is None:
                return self._connection.recv(min(size, RECORD_BYTES))
            return self._connection.recv_into(buffer, min(size, RECORD_BYTES))
        except SSL.WantReadError:
            # What OpenSSL has to answer by itself (a change of keys) goes out with the next write.
            raise ssl.SSLWantReadError from None
        except (SSL.ZeroReturnError, SSL.SysCallError):
            # An end without notice is an end: messages have lengths and boundaries of their own.
            return b"" if buffer is None else 0
        except SSL.Error as error:
            self._give_out()  # the alert
            raise ssl.SSLError(_reason(error)) from error

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take what is to go out, as much as fits; gives how much that was."""
        try:
            return self._connection.send(data)
        except (SSL.WantReadError, SSL.WantWriteError):
            raise ssl.SSLWantReadError from None
        except SSL.Error as error:
            raise ssl.SSLError(_reason(error)) from error
        finally:
            self._give_out()

    def unwrap(self) -> None:
        """Say the end of the connection; raises ``ssl.SSLWantReadError`` until the other side has said so too."""
        self._take_in()
        try:
            ended = self._connection.shutdown()
        except SSL.Error as error:
            raise ssl.SSLError(_reason(error)) from error
        finally:
            self._give_out()
        if not ended:
            raise ssl.SSLWantReadError

    def getpeercert(self) -> dict[str, str]:
        """Give what asyncio keeps of a verified certificate: nothing, as none is."""
        return {}

    def cipher(self) -> tuple[str | None, str | None, int | None]:
        """Give suite, protocol and bits."""
        connection = self._connection
        return connection.get_cipher_name(), connection.get_cipher_version(), connection.get_cipher_bits()

    def version(self) -> str:
        """Give the protocol's version, such as ``TLSv1.3``."""
        return self._connection.get_protocol_version_name()

    def compression(self) -> None:
        """Give the compression: there is none."""

    def _take_in(self) -> None:
        if self._incoming.pending:
            self._connection.bio_write(self._incoming.read())

    def _give_out(self) -> None:
        with suppress(SSL.WantReadError):
            while self._outgoing.write(self._connection.bio_read(_DRAIN_BYTES)) == _DRAIN_BYTES:
                pass


def _reason(error: SSL.Error) -> str:
    """Give OpenSSL's own words for what went wrong."""
    if isinstance(error, SSL.SysCallError):
        return "the other side left"
    reasons = [str(entry[-1]) for entry in error.args[0]] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(reasons) or "unknown"
