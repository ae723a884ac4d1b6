"""A small memory of verdicts, so that the same certificate and OCSP response are not judged anew in each message.

It refuses to know what a verdict means or the time of day: whoever puts a verdict in says for which span it stands.
It is passed explicitly to the verify functions; without it they judge anew, with the same result.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

Verdict = TypeVar("Verdict")

DEFAULT_LIMIT = 4096  # some hundred servers and members, each with a few OCSP responses; about 10 MB at most


@dataclass(frozen=True, slots=True)
class _Entry:
    verdict: object
    since: datetime
    until: datetime


@dataclass(slots=True)
class VerdictCache:
    """Verdicts by key; a key must hold everything that the verdict depends on, the trust snapshot's digest included.

    Only good verdicts are kept: a refusal is judged anew, so that a peer who repairs its certificate is let in at once.
    """

    limit: int = DEFAULT_LIMIT
    _entries: dict[Hashable, _Entry] = field(default_factory=dict, repr=False)

    def get(self, key: Hashable, kind: type[Verdict], at: datetime) -> Verdict | None:
        """Return the verdict if it stands at this time: expiry and staleness end it without anybody's doing."""
        entry = self._entries.get(key)
        if entry is None or not entry.since <= at <= entry.until:
            return None
        return entry.verdict if isinstance(entry.verdict, kind) else None

    def put(self, key: Hashable, verdict: object, since: datetime, until: datetime) -> None:
        """Keep a verdict for the span in which it stands; the oldest one makes room."""
        self._entries.pop(key, None)
        while len(self._entries) >= self.limit:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = _Entry(verdict, since, until)

    def __len__(self) -> int:
        return len(self._entries)
