"""The one door to XML: what it lets in, and how it canonicalizes."""

import pytest
from lxml import etree

from xroad import xmlsafe
from xroad.errors import InvalidXml, UnsupportedAlgorithm

BOMB = b"""<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><lolz>&c;</lolz>"""


def test_a_plain_document_is_parsed() -> None:
    root = xmlsafe.parse(b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?><a><b>\xe1\x9e\x80</b></a>')

    assert xmlsafe.text(xmlsafe.child(root, "b")) == "ក"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"<!DOCTYPE a><a/>", id="harmless-doctype"),
        pytest.param(BOMB, id="billion-laughs"),
        pytest.param(b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', id="external-subset"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', id="external-entity"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1/">%x;]><a/>', id="parameter-entity"),
        pytest.param(b'<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><a/>', id="default-attribute"),
        pytest.param(b"<?xml version='1.0'?>\n<!-- x -->\n<?y z?><!DOCTYPE a><a/>", id="doctype-after-comment"),
        pytest.param(b"\xef\xbb\xbf<!DOCTYPE a><a/>", id="doctype-after-bom"),
        pytest.param(b"<a>&undeclared;</a>", id="undeclared-entity"),
        pytest.param("<a/>".encode("utf-16"), id="utf-16"),
        pytest.param("<a/>".encode("utf-32"), id="utf-32"),
        pytest.param("<a/>".encode("cp037"), id="ebcdic"),
        pytest.param(b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>', id="latin-1"),
        pytest.param(b"<?xml version='1.0' encoding='UTF-7'?><a/>", id="utf-7"),
        pytest.param(b"<a>\xff</a>", id="not-utf-8"),
        pytest.param(b"", id="empty"),
        pytest.param(b"   ", id="blank"),
        pytest.param(b"{}", id="json"),
        pytest.param(b"<a>", id="unclosed"),
        pytest.param(b"<a/><b/>", id="two-roots"),
        pytest.param(b'<a b="1" b="2"/>', id="attribute-twice"),
        pytest.param(b"<x:a/>", id="unbound-prefix"),
        pytest.param(b"<a>\x00</a>", id="nul"),
        pytest.param(b"<a>" * 10_000, id="ten-thousand-open"),
        pytest.param(b"<a>" * 10_000 + b"</a>" * 10_000, id="ten-thousand-nested"),
    ],
)
def test_what_x_road_never_writes_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidXml):
        xmlsafe.parse(data)


def test_the_word_doctype_may_stand_in_text() -> None:
    assert xmlsafe.parse(b"<a><![CDATA[<!DOCTYPE x>]]></a>").text == "<!DOCTYPE x>"


def test_each_limit_holds_to_the_element() -> None:
    nested = b"<a>" * 7 + b"</a>" * 7
    wide = b"<r>" + b"<a/>" * 9 + b"</r>"

    assert xmlsafe.parse(nested, max_depth=7).tag == "a"
    assert xmlsafe.parse(wide, max_elements=10).tag == "r"
    assert xmlsafe.parse(wide, max_bytes=len(wide)).tag == "r"
    for data, limits in ((nested, {"max_depth": 6}), (wide, {"max_elements": 9}), (wide, {"max_bytes": len(wide) - 1})):
        with pytest.raises(InvalidXml):
            xmlsafe.parse(data, **limits)


def test_no_file_is_read_through_xinclude() -> None:
    root = xmlsafe.parse(
        b'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd" parse="text"/></a>'
    )

    assert "".join(root.itertext()) == ""


SAMPLE = xmlsafe.parse(
    b'<a:r xmlns:a="urn:a" xmlns:b="urn:b"><!-- c --><a:x  z="2"   y="1"><b:y/><!-- d --></a:x>tail</a:r>'
)


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (xmlsafe.C14N, b'<a:x xmlns:a="urn:a" xmlns:b="urn:b" y="1" z="2"><b:y></b:y></a:x>'),
        (xmlsafe.C14N_COMMENTS, b'<a:x xmlns:a="urn:a" xmlns:b="urn:b" y="1" z="2"><b:y></b:y><!-- d --></a:x>'),
        (xmlsafe.C14N_EXCLUSIVE, b'<a:x xmlns:a="urn:a" y="1" z="2"><b:y xmlns:b="urn:b"></b:y></a:x>'),
        (
            xmlsafe.C14N_EXCLUSIVE_COMMENTS,
            b'<a:x xmlns:a="urn:a" y="1" z="2"><b:y xmlns:b="urn:b"></b:y><!-- d --></a:x>',
        ),
    ],
)
def test_canonical_forms_of_an_element_in_its_place(algorithm: str, expected: bytes) -> None:
    assert xmlsafe.canonicalize(SAMPLE[1], algorithm) == expected


def test_exclusive_canonicalization_keeps_the_prefixes_asked_for() -> None:
    canonical = xmlsafe.canonicalize(SAMPLE[1][0], xmlsafe.C14N_EXCLUSIVE, inclusive_prefixes=["a"])

    assert canonical == b'<b:y xmlns:a="urn:a" xmlns:b="urn:b"></b:y>'


def test_an_algorithm_that_is_not_listed_is_refused() -> None:
    with pytest.raises(UnsupportedAlgorithm):
        xmlsafe.canonicalize(SAMPLE, "http://www.w3.org/2006/12/xml-c14n11")


def test_a_relative_namespace_name_is_refused() -> None:
    with pytest.raises(InvalidXml):
        xmlsafe.canonicalize(xmlsafe.parse(b'<a xmlns="u"/>'), xmlsafe.C14N)


def test_inherited_xml_attributes_are_refused_where_verifiers_would_differ() -> None:
    inner = xmlsafe.parse(b'<a xml:lang="km"><b/></a>')[0]

    with pytest.raises(InvalidXml):
        xmlsafe.canonicalize(inner, xmlsafe.C14N)
    assert xmlsafe.canonicalize(inner, xmlsafe.C14N_EXCLUSIVE) == b"<b></b>"


def test_a_comment_cannot_cut_a_text_short() -> None:
    with pytest.raises(InvalidXml):
        xmlsafe.text(xmlsafe.parse(b"<user>admin<!---->.evil</user>"))


def test_children_are_found_and_counted() -> None:
    root = etree.Element("r")
    one = etree.SubElement(root, "one")
    etree.SubElement(root, "two")
    etree.SubElement(root, "two")

    assert xmlsafe.child(root, "one") is one
    assert xmlsafe.optional_child(root, "three") is None
    assert len(xmlsafe.children(root, "two")) == 2
    for call, tag in ((xmlsafe.child, "two"), (xmlsafe.optional_child, "two"), (xmlsafe.child, "three")):
        with pytest.raises(InvalidXml):
            call(root, tag)


def test_an_empty_element_has_an_empty_text() -> None:
    assert xmlsafe.text(xmlsafe.parse(b"<a/>")) == ""
