"""Signed tree heads: what a server says of its log at one time, so that it cannot say otherwise later.

It refuses to know who signs and when. Time-stamping has one made with each batch, `check` holds the log against all of
them, and a proof carries one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from sqlalchemy import Connection, insert, select

from securityserver.messagelog.records import milliseconds, moment
from securityserver.messagelog.tables import TREE_HEAD
from xroad.algorithms import default_algorithm
from xroad.errors import XRoadError
from xroad.merkle import HASH_BYTES

Sign = Callable[[bytes], Awaitable[tuple[bytes, bytes]]]
"""Gives a signature over data, and the certificate (DER) of the key that made it."""


class HeadInvalid(Exception):  # noqa: N818 - says what an auditor meets
    """A tree head was not signed by the key of its certificate, or is none."""


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What was signed.

    Args:
        size: number of leaves.
        root: the hash over them.
        at: when.
        signature: over `head_bytes`; ECDSA in DER, RSA with PKCS #1 v1.5.
        certificate: of the key, DER.
        id: its number in the log, or `None` for one that comes from elsewhere.
    """

    size: int
    root: bytes
    at: datetime
    signature: bytes
    certificate: bytes
    id: int | None = None

    def verify(self) -> x509.Certificate:
        """Check the signature, and give the certificate; whether to trust that one is for the caller to say.

        Raises:
            HeadInvalid: it does not hold.
        """
        try:
            certificate = x509.load_der_x509_certificate(self.certificate)
            key = certificate.public_key()
            default_algorithm(key).verify(key, self.signature, head_bytes(self.size, self.root, self.at))
        except (ValueError, InvalidSignature, XRoadError) as error:
            raise HeadInvalid(f"The tree head of {self.at:%Y-%m-%d %H:%M:%S}Z is not validly signed.") from error
        return certificate

    def to_json(self) -> dict[str, Any]:
        """Give it as a proof carries it."""
        return {
            "size": self.size,
            "root": self.root.hex(),
            "time": milliseconds(self.at),
            "signature": self.signature.hex(),
            "certificate": self.certificate.hex(),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Read what `to_json` gave.

        Raises:
            HeadInvalid: it is none.
        """
        try:
            root, signature, certificate = (
                bytes.fromhex(values[name]) for name in ("root", "signature", "certificate")
            )
            head = cls(int(values["size"]), root, moment(int(values["time"])), signature, certificate)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise HeadInvalid("This is no tree head.") from error
        if len(root) != HASH_BYTES or head.size < 0:
            raise HeadInvalid("This is no tree head.")
        return head


def head_bytes(size: int, root: bytes, at: datetime) -> bytes:
    """Give what is signed: four lines of text, the time in milliseconds since 1970."""
    return f"spean-log-head-1\n{size}\n{root.hex()}\n{milliseconds(at)}\n".encode()


def heads(connection: Connection, *, least_size: int = 0) -> list[TreeHead]:
    """Read the heads over at least so many leaves, the smallest first."""
    query = select(TREE_HEAD).where(TREE_HEAD.c.size >= least_size).order_by(TREE_HEAD.c.size, TREE_HEAD.c.id)
    return [
        TreeHead(row["size"], row["root"], moment(row["time"]), row["signature"], row["certificate"], row["id"])
        for row in connection.execute(query).mappings()
    ]


def keep(connection: Connection, head: TreeHead) -> int:
    """Write a head, and give its number."""
    values = {
        "size": head.size,
        "root": head.root,
        "time": milliseconds(head.at),
        "signature": head.signature,
        "certificate": head.certificate,
    }
    return int(connection.execute(insert(TREE_HEAD).values(values).returning(TREE_HEAD.c.id)).scalar_one())
