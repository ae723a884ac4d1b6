"""Content types, and multiparts whole and in pieces."""

import pytest

from xroad import mime
from xroad.errors import InvalidContentType, InvalidMessage, MimeParsingFailed, XRoadError

MESSAGE = b"--b\r\ncontent-type: text/plain\r\nX-Note: a\r\n b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n\r\n--b--\r\n"


def read(*pieces: bytes, boundary: bytes = b"b", max_header_bytes: int = 200) -> list[mime.MimeEvent]:
    decoder = mime.MultipartDecoder(boundary, max_header_bytes=max_header_bytes)
    events = [event for piece in pieces for event in decoder.feed(piece)]
    decoder.finish()
    return events


def parts(*pieces: bytes) -> list[bytes]:
    found: list[bytes] = []
    for event in read(*pieces):
        if isinstance(event, mime.PartBegin):
            found.append(b"")
        elif isinstance(event, mime.PartData):
            found[-1] += event.data
    return found


def test_parts_and_headers_are_given_in_order() -> None:
    assert read(MESSAGE) == [
        mime.PartBegin({"content-type": "text/plain", "x-note": "a b"}),
        mime.PartData(b"one"),
        mime.PartEnd(),
        mime.PartBegin({}),
        mime.PartData(b"two\r\n"),
        mime.PartEnd(),
        mime.Closed(),
    ]


def test_byte_by_byte_it_reads_the_same() -> None:
    assert parts(*(bytes([byte]) for byte in MESSAGE)) == parts(MESSAGE) == [b"one", b"two\r\n"]


@pytest.mark.parametrize("at", range(len(MESSAGE) + 1))
def test_cut_anywhere_it_reads_the_same(at: int) -> None:
    assert parts(MESSAGE[:at], MESSAGE[at:]) == [b"one", b"two\r\n"]


def test_bare_line_feeds_frame_as_well() -> None:
    assert parts(MESSAGE.replace(b"\r\n", b"\n")) == [b"one", b"two\n"]


@pytest.mark.parametrize(
    "content", [b"", b"\r", b"\n", b"\r\n", b"\r\n-", b"\r\n--", b"x--b", b"x\r\n--c\r\n", b"\n\r\r"]
)
def test_content_that_resembles_a_boundary_is_kept(content: bytes) -> None:
    message = b"--b\r\n\r\n" + content + b"\r\n--b--\r\n"

    assert parts(message) == parts(*(bytes([byte]) for byte in message)) == [content]


def test_a_part_without_content_may_lack_its_line_break() -> None:
    assert parts(b"--b\r\na: b\r\n\r\n--b--\r\n") == [b""]


def test_spaces_after_a_boundary_are_its_padding() -> None:
    assert parts(b"--b \t\r\n\r\none\r\n--b-- \r\n") == [b"one"]


def test_nothing_of_a_long_body_is_held_back_but_a_boundarys_length() -> None:
    decoder = mime.MultipartDecoder(b"b" * 30)
    decoder.feed(b"--" + b"b" * 30 + b"\r\n\r\n")

    assert decoder.feed(b"x" * 1000) == [mime.PartData(b"x" * 1000)]
    assert decoder.feed(b"y" * 10 + b"\r\n--bbb") == [mime.PartData(b"y" * 10)]
    assert decoder.feed(b"c") == [mime.PartData(b"\r\n--bbbc")]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        pytest.param(b"", MimeParsingFailed, id="nothing"),
        pytest.param(b"preamble\r\n" + MESSAGE, MimeParsingFailed, id="preamble"),
        pytest.param(b"\r\n" + MESSAGE, MimeParsingFailed, id="blank-preamble"),
        pytest.param(b"--c\r\n\r\none\r\n--c--\r\n", MimeParsingFailed, id="other-boundary"),
        pytest.param(b"--b\r\n\r\none\r\n--c--\r\n", MimeParsingFailed, id="other-last-boundary"),
        pytest.param(b"--bx\r\n\r\none\r\n--b--\r\n", MimeParsingFailed, id="longer-boundary"),
        pytest.param(b"--b\r\n\r\none\r\n--bx--\r\n", MimeParsingFailed, id="longer-last-boundary"),
        pytest.param(b"--b" + b" " * 20 + b"\r\n\r\none\r\n--b--\r\n", MimeParsingFailed, id="much-padding"),
        pytest.param(MESSAGE[:-4], MimeParsingFailed, id="cut-in-last-boundary"),
        pytest.param(MESSAGE[:40], MimeParsingFailed, id="cut-in-header"),
        pytest.param(b"--b\r\nno colon\r\n\r\none\r\n--b--\r\n", MimeParsingFailed, id="no-colon"),
        pytest.param(b"--b\r\nA: b\r\na: c\r\n\r\none\r\n--b--\r\n", MimeParsingFailed, id="header-twice"),
        pytest.param(b"--b\r\nA b: c\r\n\r\none\r\n--b--\r\n", MimeParsingFailed, id="header-name"),
        pytest.param(b"--b\r\na: " + b"x" * 200 + b"\r\n\r\none\r\n--b--\r\n", MimeParsingFailed, id="header-too-long"),
        pytest.param(MESSAGE + b"x", InvalidMessage, id="content-after-the-end"),
        pytest.param(MESSAGE + MESSAGE, InvalidMessage, id="second-message"),
        pytest.param(MESSAGE + b"\n" * 20, InvalidMessage, id="much-white-space-after-the-end"),
    ],
)
def test_a_broken_multipart_is_refused_whole_and_in_pieces(message: bytes, error: type[XRoadError]) -> None:
    with pytest.raises(error):
        read(message)
    with pytest.raises(error):
        read(*(bytes([byte]) for byte in message))


def test_a_header_block_at_its_limit_passes() -> None:
    headers = b"a: " + b"x" * 196

    assert len(read(b"--b\r\n" + headers + b"\r\n\r\n\r\n--b--", max_header_bytes=200)) == 3


def test_a_content_type_is_taken_apart() -> None:
    parsed = mime.parse_content_type('Multipart/Mixed; Charset=UTF-8;boundary="a b\\"c"; type=text/xml;')

    assert (parsed.media_type, parsed.charset) == ("multipart/mixed", "utf-8")
    assert parsed.parameters == {"charset": "UTF-8", "boundary": 'a b"c', "type": "text/xml"}


def test_the_signatures_own_media_type_has_two_slashes() -> None:
    assert mime.parse_content_type("signature/bdoc-1.0/ts").media_type == "signature/bdoc-1.0/ts"


@pytest.mark.parametrize(
    "value", ["", "text", "text/", "/xml", "text/xml; charset", "text/xml; a=1; A=2", "text/xml, text/xml", 'a/b; c="',
              "text/xml; x=" + "y" * 1100]
)  # fmt: skip
def test_a_malformed_content_type_is_refused(value: str) -> None:
    with pytest.raises(InvalidContentType):
        mime.parse_content_type(value)


@pytest.mark.parametrize(
    "parameters",
    ["", '; boundary=""', '; boundary="a "', "; boundary=é", "; boundary=" + "b" * 71, '; boundary="a\rb"'],
)
def test_a_missing_or_impossible_boundary_is_refused(parameters: str) -> None:
    with pytest.raises(InvalidContentType):
        mime.boundary_of(mime.parse_content_type(f"multipart/mixed{parameters}"))
