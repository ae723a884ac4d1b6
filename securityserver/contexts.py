"""The TLS contexts of the moment: built anew when authorities, own key or registered client certificates change.

It refuses to know connections. Listeners and ``peers`` ask it for each new connection; while nothing changed they get
the same context, by whose identity pooled connections are known to be of the present.
"""

from collections.abc import Callable

from cryptography import x509

from securityserver.credentials import Credentials
from securityserver.internaltls import InternalKey
from securityserver.serverconf import ServerConfStore
from securityserver.tls import (
    NodeContext,
    client_server_context,
    peer_client_context,
    peer_server_context,
    switching,
)
from serverkit.logs import get_logger
from xroad.globalconf.snapshot import TrustSnapshot

log = get_logger("tls")


class TlsContexts:
    """Builds contexts when they are asked for and remembers the last of each kind.

    Args:
        trust: the newest snapshot, even an expired one: a peer shall get a fault that says so, not a broken handshake.
        conf: whose clients' certificates the HTTPS port trusts.
        credentials: the authentication key.
        internal: the key for the institution's own systems.
    """

    def __init__(
        self,
        trust: Callable[[], TrustSnapshot | None],
        conf: ServerConfStore,
        credentials: Credentials,
        internal: InternalKey,
    ) -> None:
        self._trust, self._conf, self._credentials, self._internal = trust, conf, credentials, internal
        self._peer: tuple[object, NodeContext, NodeContext] | None = None
        self._client: tuple[object, NodeContext] | None = None

    def to_peers(self) -> NodeContext:
        """Give the context for connections to peers.

        Raises:
            SslAuthenticationFailed: this server has no authentication certificate.
        """
        self._credentials.require_authentication()
        return self._peers()[1]

    def message_listener(self) -> NodeContext:
        """Give the context that the message port's listener keeps for life."""
        return switching(self._from_peers, peer_server_context((), _reporter("message")))

    def client_listener(self) -> NodeContext:
        """Give the context that the clients' HTTPS listener keeps for life."""
        return switching(self._from_clients, client_server_context((), _reporter("client")))

    def _from_peers(self) -> NodeContext | None:
        return self._peers()[2] if self._credentials.authentication() is not None else None

    def _peers(self) -> tuple[object, NodeContext, NodeContext]:
        trust, identity = self._trust(), self._credentials.authentication()
        key = (trust.digest if trust is not None else "", identity)
        if self._peer is None or self._peer[0] != key:
            authorities = trust.ca_certificates() if trust is not None else ()
            outward, inward = peer_client_context(authorities), peer_server_context(authorities, _reporter("message"))
            for context in (outward, inward):
                self._credentials.load_authentication(context)
            self._peer = key, outward, inward
        return self._peer

    def _from_clients(self) -> NodeContext:
        conf = self._conf.current
        if self._client is None or self._client[0] is not conf:
            ders = {der for client in conf.clients for der in client.tls_certificates}
            registered = [x509.load_der_x509_certificate(der) for der in ders]
            context = client_server_context(registered, _reporter("client"))
            self._internal.load_into(context)
            self._client = conf, context
        return self._client[1]


def _reporter(port: str) -> Callable[[str], None]:
    return lambda reason: log.warning("tls_handshake_failed", port=port, reason=reason)
