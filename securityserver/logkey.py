"""The log's own key: made with a node, kept in a token of its own, and used only by those who read bodies.

It refuses to know bodies and how they are encrypted. `commands` and `app` make it where it is missing; a running node
holds the public half only.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import files
from pki.token import KeyInfo, SoftwareToken, Usage
from securityserver.config import NodeConfig
from securityserver.messagelog import BodyForm, BodyKeys, Direction, LogKeyUnusable, Record, Side
from securityserver.messagelog.keys import PublicKey, read_public_key
from securityserver.serverconf import LogForm, ServerConfStore

LABEL: Final = "message log"
_FORMS: Final = {
    LogForm.ENCRYPTED: BodyForm.ENCRYPTED,
    LogForm.PLAIN: BodyForm.PLAIN,
    LogForm.NONE: BodyForm.NOT_LOGGED,
}


def recipients(config: NodeConfig) -> tuple[PublicKey, ...]:
    """Give the public keys that bodies are encrypted for; makes the log's own key where there is none yet. Blocks.

    Raises:
        LogKeyUnusable: a key cannot be read.
        PkiError: the log's own key cannot be made.
    """
    own = config.log_public_key
    if not own.exists():
        files.write_atomically(own, _public_pem(_own_token(config)))
    keys = []
    for path in (own, *config.log.auditors):
        try:
            keys.append(read_public_key(path.read_bytes(), str(path)))
        except OSError as error:
            raise LogKeyUnusable(f"{path}: cannot be read ({error.strerror}).") from error
    return tuple(keys)


def body_keys(config: NodeConfig) -> BodyKeys:
    """Open the log's own key with its PIN, to read bodies. Blocks.

    Raises:
        PkiError: there is none, or the PIN is another one.
    """
    token = SoftwareToken.open(config.log_token.directory, config.log_token.pin())
    key = token.find(LABEL)
    return BodyKeys.of(_public(token, key), lambda other: token.agree(key.id, other))


def form_of(conf: ServerConfStore, record: Record) -> BodyForm:
    """Tell how a record's body is kept: as the owner of the subsystem on this server decided."""
    owner = record.client if record.side is Side.CONSUMER else record.service.client
    client = conf.current.client(owner)
    if client is None:
        return BodyForm.ENCRYPTED
    return _FORMS[client.log.requests if record.direction is Direction.REQUEST else client.log.responses]


def _own_token(config: NodeConfig) -> SoftwareToken:
    source = config.log_token
    opened = SoftwareToken.open if source.directory.exists() else SoftwareToken.create
    token = opened(source.directory, source.pin())
    if not any(key.label == LABEL for key in token.keys):
        token.generate_key(LABEL, "ec-p256", usage=Usage.LOG)
    return token


def _public_pem(token: SoftwareToken) -> bytes:
    return _public(token, token.find(LABEL)).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _public(token: SoftwareToken, key: KeyInfo) -> ec.EllipticCurvePublicKey:
    public = token.public_key(key.id)
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise LogKeyUnusable("The log's own key is of another kind than this version makes.")
    return public
