"""The TLS contexts of the moment: built anew when authorities, own key or registered client certificates change.

It refuses to know connections. Listeners and ``peers`` ask it for each new connection; while nothing changed they get
the same context, by whose identity pooled connections are known to be of the present.
"""

from collections.abc import Callable

from OpenSSL import SSL

from securityserver.credentials import Credentials
from securityserver.internaltls import InternalKey
from securityserver.listenertls import ListenerContext, server_context
from securityserver.serverconf import ServerConfStore
from securityserver.tls import CLIENT_SUITES, PEER_SUITES, NodeContext, peer_client_context
from serverkit.logs import get_logger
from xroad.globalconf.snapshot import TrustSnapshot

log = get_logger("tls")


class TlsContexts:
    """Builds contexts when they are asked for and remembers the last of each kind.

    Args:
        trust: the newest snapshot, even an expired one: a peer shall get a fault that says so, not a broken handshake.
        conf: changes when a key for the institution's own systems may have changed.
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
        self._to_peers: tuple[object, NodeContext] | None = None
        self._from_peers: tuple[object, SSL.Context] | None = None
        self._from_clients: tuple[object, SSL.Context] | None = None

    def to_peers(self) -> NodeContext:
        """Give the context for connections to peers.

        Raises:
            SslAuthenticationFailed: this server has no authentication certificate.
        """
        trust, identity = self._trust(), self._credentials.require_authentication()
        key = (trust.digest if trust is not None else "", identity)
        if self._to_peers is None or self._to_peers[0] != key:
            context = peer_client_context(trust.ca_certificates() if trust is not None else ())
            self._credentials.load_authentication(context)
            self._to_peers = key, context
        return self._to_peers[1]

    def message_listener(self) -> ListenerContext:
        """Give the context that the message port's listener keeps for life."""
        return ListenerContext(self._of_message_port, _reporter("message"))

    def client_listener(self) -> ListenerContext:
        """Give the context that the clients' HTTPS listener keeps for life."""
        return ListenerContext(self._of_client_port, _reporter("client"))

    def _of_message_port(self) -> SSL.Context | None:
        identity = self._credentials.authentication()
        if identity is None:
            return None
        if self._from_peers is None or self._from_peers[0] != identity:
            context = server_context(PEER_SUITES)
            self._credentials.load_authentication(context)
            self._from_peers = identity, context
        return self._from_peers[1]

    def _of_client_port(self) -> SSL.Context:
        conf = self._conf.current
        if self._from_clients is None or self._from_clients[0] is not conf:
            context = server_context(CLIENT_SUITES)
            self._internal.load_into(context)
            self._from_clients = conf, context
        return self._from_clients[1]


def _reporter(port: str) -> Callable[[str], None]:
    return lambda reason: log.warning("tls_handshake_failed", port=port, reason=reason)
