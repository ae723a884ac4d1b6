"""Decides about one field: what was sent, what is here, and what was last written here from a sender.

It refuses to overwrite in silence what staff changed: that is a conflict, whoever wins. Pure; times are milliseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from adapters.writing.definition import Wins

NEVER: Final = object()  # nothing was ever written here from a sender


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a field: write it, and who was kept if both sides had changed it."""

    write: bool
    conflict: Wins | None = None


_LEAVE: Final = Decision(write=False)
_WRITE: Final = Decision(write=True)
_KEPT_SENT: Final = Decision(write=True, conflict=Wins.SENT)
_KEPT_LOCAL: Final = Decision(write=False, conflict=Wins.LOCAL)


def decide(sent: Any, local: Any, synced: Any, winner: Wins, is_newer: Callable[[], bool]) -> Decision:  # noqa: ANN401  # columns' values
    """Decide.

    Args:
        sent: the new value.
        local: what is here.
        synced: what was last written here, or :data:`NEVER`.
        winner: as declared for the field.
        is_newer: whether the event is newer than the local change; asked only where that decides.
    """
    if same(sent, local):
        return _LEAVE
    if synced is NEVER:
        if local is None or local == "":
            return _WRITE  # nobody said anything here that could be lost
    elif same(local, synced):
        return _WRITE  # only the sender changed it
    elif same(sent, synced):
        return _LEAVE  # only staff changed it
    wins = winner if winner is not Wins.NEWEST else (Wins.SENT if is_newer() else Wins.LOCAL)
    return _KEPT_SENT if wins is Wins.SENT else _KEPT_LOCAL


def same(one: Any, other: Any) -> bool:  # noqa: ANN401  # as above
    """Tell whether two values are one in a database: a column of numbers gives 5 for the text ``5``."""
    if one == other:
        return True
    if one is None or other is None:
        return False
    return _canonical(one) == _canonical(other)


def _canonical(value: Any) -> str:  # noqa: ANN401  # as above
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).rstrip()  # a column of fixed length fills up with spaces
