"""The picture of a record's relations: what refers to it on the left, what it refers to on the right, as inline SVG.

It refuses to measure text: boxes have one width, and a longer name is cut, with the whole of it in the box's title.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.codes import Label
from contracts.fields import Target

BOX_WIDTH: Final = 230
BOX_HEIGHT: Final = 50
GAP: Final = 14
COLUMN: Final = 330
MARGIN: Final = 8
MOST: Final = 12  # boxes in a column; a code list of the base has ninety readers
LONGEST: Final = 27  # characters of a name in a box


@dataclass(frozen=True, slots=True)
class Box:
    """One box, where it stands, and what it says."""

    target: Target | None
    name: str
    title: Label
    x: int
    y: int
    kind: str  # "self", "record", "codes" or "more"

    @property
    def short(self) -> str:
        """The name, cut to the width of the box."""
        return self.name if len(self.name) <= LONGEST else f"{self.name[: LONGEST - 1]}…"


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes and the lines between them; coordinates are the SVG's own."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[str, ...]


def picture(
    own: Target, used_by: Sequence[Target], refers_to: Sequence[Target], title: Callable[[Target], Label]
) -> Picture:
    """Lay out up to three columns, each centred: a side without boxes takes no room."""
    left = [each for each in used_by if each != own]
    right = [each for each in refers_to if each != own]
    rows = max(1, min(len(left), MOST + 1), min(len(right), MOST + 1))
    height = rows * (BOX_HEIGHT + GAP) - GAP + 2 * MARGIN
    place = int(bool(left))
    middle = Box(own, own.name, title(own), MARGIN + place * COLUMN, _top(0, 1, height), "self")
    before, after = _column(left, 0, height, title), _column(right, place + 1, height, title)
    lines = [_line(each, middle) for each in before] + [_line(middle, each) for each in after]
    width = (place + bool(right)) * COLUMN + BOX_WIDTH + 2 * MARGIN
    return Picture(width, height, (*before, middle, *after), tuple(lines))


def _column(targets: Sequence[Target], place: int, height: int, title: Callable[[Target], Label]) -> list[Box]:
    shown, more = targets[:MOST], len(targets) - MOST
    count = len(shown) + (more > 0)
    x = MARGIN + place * COLUMN
    boxes = [
        Box(each, _name(each, targets), title(each), x, _top(row, count, height), "codes" if each.coded else "record")
        for row, each in enumerate(shown)
    ]
    if more > 0:
        words = Label(f"and {more} more, listed below", f"និង {more} ទៀត មានក្នុងបញ្ជីខាងក្រោម")
        boxes.append(Box(None, "…", words, x, _top(count - 1, count, height), "more"))
    return boxes


def _name(target: Target, others: Sequence[Target]) -> str:
    """Give the name, with the version where two versions of it are in the picture."""
    several = sum(each.name == target.name for each in others) > 1
    return f"{target.name} {target.version}" if several else target.name


def _top(row: int, count: int, height: int) -> int:
    column = count * (BOX_HEIGHT + GAP) - GAP
    return (height - column) // 2 + row * (BOX_HEIGHT + GAP)


def _line(start: Box, end: Box) -> str:
    x1, y1 = start.x + BOX_WIDTH, start.y + BOX_HEIGHT // 2
    x2, y2 = end.x - 7, end.y + BOX_HEIGHT // 2
    bend = (x1 + x2) // 2
    return f"M{x1} {y1} C{bend} {y1} {bend} {y2} {x2} {y2}"
