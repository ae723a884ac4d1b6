"""The short way to read a signature says what the long way says, of good documents and of spoilt ones, or nothing."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.signing import signed
from xroad import errors
from xroad.xades import form, template

EXAMPLES = settings(max_examples=150, deadline=None)

# What an attacker would put in: second elements, ids, comments, references, other namespaces and encodings of the same.
PIECES = st.sampled_from(
    [
        "<!-- -->",
        "<?pi?>",
        "&amp;",
        "&#65;",
        "<![CDATA[A]]>",
        ' Id="signature"',
        " ",
        "\n",
        "\t",
        "=",
        "A",
        "ក",
        "\u200b",
        "<ds:Object></ds:Object>",
        ' xmlns:ds="urn:other"',
        ' xmlns="urn:other"',
        "<ds:Reference",
        "</ds:SignedInfo>",
    ]
)


def same(document: bytes) -> bool:
    """Hold both ways equal where the short one answers; tell whether it did."""
    short = template.read(document)
    if short is None:
        return False
    full = form.open_document(document)
    assert full.properties_octets is not None
    assert short.properties == form.read_signed_properties(full.properties_octets)
    for name in set(form.Opened.__dataclass_fields__) - {"properties", "signed_info"}:
        assert getattr(short, name) == getattr(full, name), name
    assert dict(short.signed_info.parts) == dict(full.signed_info.parts)
    assert short.signed_info.algorithm == full.signed_info.algorithm
    assert short.signed_info.properties == full.signed_info.properties
    return True


@pytest.mark.parametrize("chained", [False, True])
def test_what_we_write_is_read_the_short_way(*, chained: bool) -> None:
    assert same(signed(chained=chained).xml)


@EXAMPLES
@given(position=st.integers(0, 100_000), mask=st.integers(1, 255), chained=st.booleans())
def test_a_flipped_byte(position: int, mask: int, *, chained: bool) -> None:
    document = bytearray(signed(chained=chained).xml)
    document[position % len(document)] ^= mask
    same(bytes(document))


@EXAMPLES
@given(position=st.integers(0, 100_000), piece=PIECES, cut=st.integers(0, 40))
def test_a_piece_put_in_or_in_place_of_others(position: int, piece: str, cut: int) -> None:
    document = signed(chained=False).xml.decode()
    position %= len(document)
    same((document[:position] + piece + document[position + cut :]).encode())


def test_every_borderline_is_tried_once() -> None:
    # At each place where a tag begins or ends, each piece: where wrapping attacks put theirs.
    document = signed(chained=False).xml.decode()
    places = [index for index, character in enumerate(document) if character in "<>"]
    pieces = ["<!-- -->", "&amp;", ' Id="signature"', " ", "ក", "<ds:Object></ds:Object>"]
    answered = sum(
        same((document[:place] + piece + document[place:]).encode())
        for place, piece in itertools.product(places, pieces)
    )
    assert answered  # in an issuer's name or a media type these are text like any other


def test_a_second_element_of_the_same_id_is_left_to_the_long_way() -> None:
    document = signed(chained=False).xml.decode()
    doubled = document.replace('Id="signature-reference-1"', 'Id="signature-reference-0"').encode()
    assert template.read(doubled) is None
    with pytest.raises(errors.MalformedSignature):
        form.open_document(doubled)


def test_what_is_too_large_is_left_to_the_long_way() -> None:
    reference = '<ds:Reference Id="signature-reference-0" URI="/message.xml">'
    document = signed(chained=False).xml.decode()
    start = document.index(reference)
    end = document.index("</ds:Reference>", start) + len("</ds:Reference>")
    more = "".join(
        document[start:end]
        .replace("reference-0", f"reference-{number}")
        .replace("/message.xml", f"/attachment{number}")
        for number in range(100, 100 + template.MAX_PARTS)
    )
    assert template.read((document[:end] + more + document[end:]).encode()) is None
