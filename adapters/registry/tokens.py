"""Access tokens for callers without the bus: OAuth2 client credentials in, a short-lived JWT out, and back.

It refuses clients that its file does not name, guessing (every attempt counts), and tokens of other services. Secrets
stand in the file as scrypt hashes; the HTTP application has one issuer per adapter.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import jwt

from adapters import yamlfile
from adapters.errors import ConfigError
from adapters.registry.keyfiles import SigningKey
from xroad.errors import XRoadError
from xroad.identifiers import ClientId

_SALT_BYTES: Final = 16
_COST: Final = 2**14  # 16 MiB and some 40 ms: what a guess costs; attempts are limited besides
_BLOCK: Final = 8
_CLAIMS: Final = ("iss", "sub", "aud", "iat", "exp", "jti")
_NOBODY: Final = "scrypt:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


class BadTokenError(Exception):
    """The token, or the secret for one, is not valid here."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who may ask for tokens: its own id, and the identity by which release declarations name it."""

    client_id: str
    client: str
    secret: str


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Issues and judges the tokens of one adapter."""

    issuer: str
    key: SigningKey
    clients: Mapping[str, Client]
    lifetime: timedelta

    def authenticate(self, client_id: str, secret: str) -> Client:
        """Return the client whose secret it is; takes as long for one that does not exist. Blocks: use a thread.

        Raises:
            BadTokenError: there is no such client, or it is not its secret.
        """
        client = self.clients.get(client_id)
        if not fits(secret, client.secret if client else _NOBODY) or client is None:
            raise BadTokenError("the client is not known or its secret is another one")
        return client

    def issue(self, client_id: str, audience: str, at: datetime) -> str:
        """Return a token for one service."""
        claims = {
            "iss": self.issuer,
            "sub": client_id,
            "aud": audience,
            "iat": at,
            "exp": at + self.lifetime,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(claims, self.key.private, self.key.algorithm, headers={"kid": self.key.kid})

    def client_of(self, token: str, audience: str) -> str:
        """Return the identity that a token speaks for; raises :class:`BadTokenError`."""
        try:
            claims = jwt.decode(
                token,
                self.key.public,
                algorithms=[self.key.algorithm],
                audience=audience,
                issuer=self.issuer,
                options={"require": list(_CLAIMS)},
            )
        except (jwt.exceptions.PyJWTError, ValueError) as error:
            raise BadTokenError("the access token is not valid here or has ended") from error
        client = self.clients.get(claims["sub"])
        if client is None:
            raise BadTokenError("the access token's client is no longer known here")
        return client.client


def load_clients(path: Path) -> Mapping[str, Client]:
    """Read the file of clients; raises :class:`ConfigError`."""
    data = yamlfile.load(path, "clients")
    found: dict[str, Client] = {}
    for place, each in enumerate(data["clients"]):
        if each["id"] in found:
            raise ConfigError(str(path), f"clients.{place}.id", "stands twice")
        found[each["id"]] = Client(each["id"], _identity(path, place, each["client"]), each["secret"])
    return found


def hashed(secret: str) -> str:
    """Return what the file of clients holds instead of a secret."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"scrypt:{_text(salt)}:{_text(_scrypt(secret, salt))}"


def fits(secret: str, stored: str) -> bool:
    """Tell whether a secret is the one that was hashed."""
    _scheme, salt, digest = stored.split(":")
    return hmac.compare_digest(_scrypt(secret, _bytes(salt)), _bytes(digest))


def _scrypt(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode("utf-8", "surrogatepass"), salt=salt, n=_COST, r=_BLOCK, p=1, dklen=32)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _identity(path: Path, place: int, text: str) -> str:
    try:
        return str(ClientId.parse(text))
    except XRoadError as error:
        raise ConfigError(
            str(path), f"clients.{place}.client", "is not a client such as KH/GOV/NSSF/MEMBERS"
        ) from error
