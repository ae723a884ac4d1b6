"""Path patterns of access rights, and how a request's path is read before it is compared with them.

It refuses to know clients and services: `snapshot` asks it about one pattern and one path.
The provider's pipeline decides with it whether a request may reach a service; whatever is unclear is not allowed.
"""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

ANY_METHOD = "*"
ANY_PATH = "**"

_UNPRINTABLE = 0x20
_DELETE = 0x7F
_DOTS = frozenset({".", ".."})


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A compiled pattern: `*` is any part of one segment, `**` anything; a backslash takes `*` and itself literally.

    It runs all alternatives side by side, a bit each, so that a long path costs time in proportion to its length:
    with a backtracking matcher a caller could stop the server with one crafted path.

    Args:
        literals: character → bits of the positions that take it.
        within: bits of the `*` positions.
        anything: bits of the `**` positions.
        length: number of positions.
    """

    literals: dict[str, int]
    within: int
    anything: int
    length: int

    @classmethod
    def compile(cls, pattern: str) -> "PathPattern":
        """Read a pattern; every text is one."""
        return _compile(pattern)

    def matches(self, path: str) -> bool:
        """Tell whether the whole path fits."""
        wild = self.within | self.anything
        state = 1 | (1 & wild) << 1
        for character in path:
            stay = self.anything if character == "/" else wild
            state = (state & self.literals.get(character, 0)) << 1 | state & stay
            state |= (state & wild) << 1
            if not state:
                return False
        return bool(state >> self.length & 1)


@lru_cache(maxsize=4096)
def _compile(pattern: str) -> PathPattern:
    literals: dict[str, int] = {}
    within = anything = place = at = 0
    while at < len(pattern):
        bit, end = 1 << place, at + 1
        if pattern[at] == "*":
            while pattern[end : end + 1] == "*":
                end += 1
            within |= bit if end == at + 1 else 0
            anything |= bit if end > at + 1 else 0
        else:
            if pattern[at] == "\\" and pattern[end : end + 1] in {"*", "\\"}:
                end += 1
            literals[pattern[end - 1]] = literals.get(pattern[end - 1], 0) | bit
        place, at = place + 1, end
    return PathPattern(literals, within, anything, place)


def readings(path: str) -> tuple[str, ...]:
    """Give the ways in which a service may understand a percent-encoded path; none when it must not be understood.

    An encoded slash separates segments to some services and is a character to others, so a right must hold under both
    readings. Dot segments, backslashes and control characters mean different things to different software, which is
    how a request for one path reaches another: no right covers them (also in the form `..;`, which some servers strip).
    """
    segments = [_decode(segment) for segment in path.split("/")]
    kept = "/".join("\0" if segment is None else segment.replace("/", "%2F") for segment in segments)
    if any(ord(character) < _UNPRINTABLE or ord(character) == _DELETE or character == "\\" for character in kept):
        return ()
    split = "/".join(segment or "" for segment in segments)
    if any(segment.partition(";")[0] in _DOTS for segment in split.split("/")):
        return ()
    return (kept,) if kept == split else (kept, split)


def _decode(segment: str) -> str | None:
    if "%" not in segment:
        return segment
    try:
        decoded = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        return None
    # A sign that is left over was no encoding (`%zz`): nobody agrees on what such a path means.
    return None if decoded.count("%") != segment.upper().count("%25") else decoded
