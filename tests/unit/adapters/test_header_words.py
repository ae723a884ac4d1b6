import pytest

from adapters.starting import vocabulary
from adapters.starting.vocabulary import latin_name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("ឈ្មោះ", "name"),
        ("ឈ្មោះ (Name)", "name"),
        ("ភេទ Sex", "sex"),
        ("ខេត្ត/រាជធានី", "province"),
        ("លេខ\u200bទូរស័ព្ទ", "phone"),
        ("ឈ្មោះម្ដាយ", "mother_name"),  # DA and TA look alike below a letter
        ("លេខប័ណ្ណ ប.ស.ស.", "nssf_card"),
        ("ល.រ.", "row_no"),
        ("ពណ៌", None),
        ("Name", None),
        ("", None),
        ("()", None),
    ],
)
def test_headers_as_registers_write_them(header: str, name: str | None) -> None:
    assert latin_name(header) == name


def test_no_header_means_two_things() -> None:
    headers = [vocabulary._bare(each) for group in vocabulary._HEADERS.values() for each in group]
    assert len(headers) == len(set(headers))
