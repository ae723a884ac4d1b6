"""The durable index of what the authority issued, revoked and numbered.

It refuses to know keys and protocols. Issuing writes it; the OCSP responder and the time-stamping service read it and
take numbers from it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.errors import AuthorityError

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS issued (
    serial TEXT PRIMARY KEY, usage TEXT NOT NULL, subject TEXT NOT NULL, certificate BLOB NOT NULL,
    revoked_at TEXT, reason TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
"""
_NUMBERS_A_BLOCK: Final = 1000
"""One fsync a thousand time-stamps; a crash skips what is left of a block, and never repeats a number."""
_TIME_STAMPS: Final = "time-stamp"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the index knows of an issued certificate; ``revoked_at`` is None while it is good."""

    revoked_at: datetime | None
    reason: x509.ReasonFlags | None


class Index:
    """The index, in one SQLite file that several processes may use at once."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=10, isolation_level=None)
        self._connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_SCHEMA}")
        self._next = self._end = 0

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def add(self, certificate: x509.Certificate, usage: str) -> None:
        """Remember an issued certificate; durable on return."""
        row = (
            _key(certificate.serial_number),
            usage,
            certificate.subject.rfc4514_string(),
            certificate.public_bytes(Encoding.DER),
        )
        self._connection.execute("INSERT INTO issued (serial, usage, subject, certificate) VALUES (?, ?, ?, ?)", row)

    def revoke(self, serial: int, reason: x509.ReasonFlags, at: datetime) -> None:
        """Mark a certificate as revoked for good; durable on return.

        Raises:
            AuthorityError: no such certificate was issued, or it is revoked already.
        """
        statement = "UPDATE issued SET revoked_at = ?, reason = ? WHERE serial = ? AND revoked_at IS NULL"
        changed = self._connection.execute(statement, (at.isoformat(), reason.name, _key(serial))).rowcount
        if not changed:
            known = "is revoked already" if self.standing(serial) else "was not issued by this authority"
            raise AuthorityError(f"The certificate {serial:x} {known}.")

    def standing(self, serial: int) -> Standing | None:
        """Tell whether the certificate is good or revoked; None when it was never issued here."""
        row = self._connection.execute(
            "SELECT revoked_at, reason FROM issued WHERE serial = ?", (_key(serial),)
        ).fetchone()
        if row is None:
            return None
        revoked_at, reason = row
        if revoked_at is None:
            return Standing(None, None)
        return Standing(datetime.fromisoformat(revoked_at).astimezone(UTC), x509.ReasonFlags[reason])

    def certificates(self) -> tuple[x509.Certificate, ...]:
        """Give all that was issued."""
        rows = self._connection.execute("SELECT certificate FROM issued ORDER BY serial")
        return tuple(x509.load_der_x509_certificate(der) for (der,) in rows)

    def next_time_stamp_serial(self) -> int:
        """Give a number that no time-stamp had before, whatever crashed since (RFC 3161 section 2.4.2)."""
        if self._next == self._end:
            self._next, self._end = self._reserve()
        number = self._next
        self._next += 1
        return number

    def _reserve(self) -> tuple[int, int]:
        with self._exclusively():
            row = self._connection.execute("SELECT next FROM numbers WHERE name = ?", (_TIME_STAMPS,)).fetchone()
            first = row[0] if row else 1
            end = first + _NUMBERS_A_BLOCK
            self._connection.execute("INSERT OR REPLACE INTO numbers (name, next) VALUES (?, ?)", (_TIME_STAMPS, end))
        return first, end

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _key(serial: int) -> str:
    return f"{serial:x}"
