"""The chain through archives: built as X-Road builds it, and refused when anything in it is not as it was."""

import hashlib
from dataclasses import replace

import pytest

from tests.support.messagelog import AT, NSAF
from xroad.archivenames import archive_name
from xroad.identifiers import ClientId
from xroad.linkinginfo import START, Chain, Link, LinkingError, LinkingInfo, build, parse, verify

FILES = {f"{name}.asice": hashlib.sha512(name.encode()).digest() for name in ("a", "b", "c")}


def chain(previous: Link = START) -> LinkingInfo:
    made = Chain(previous)
    for name, digest in FILES.items():
        made.add(name, digest)
    return made.info()


def test_a_chain_begins_with_dashes_and_links_hex_digests() -> None:
    lines = build(chain()).decode().splitlines()
    first = hashlib.sha512(FILES["a.asice"].hex().encode()).hexdigest()
    second = hashlib.sha512((first + FILES["b.asice"].hex()).encode()).hexdigest()
    assert lines[:3] == ["- - SHA-512", f"{first} a.asice", f"{second} b.asice"]


def test_the_next_archive_names_the_one_before() -> None:
    before = Link(chain().last, "mlog-1.zip")
    assert build(chain(before)).decode().splitlines()[0] == f"{before.digest} mlog-1.zip SHA-512"


@pytest.mark.parametrize("previous", [START, Link("0" * 128, "mlog.zip")])
def test_what_is_built_is_read_and_verified(previous: Link) -> None:
    info = parse(build(chain(previous)))
    assert info == chain(previous)
    assert verify(info, FILES.items()) == Link(info.last, "c.asice")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({**FILES, "b.asice": bytes(64)}, "b.asice: its digest is not"),
        ({name: FILES[name] for name in ("a.asice", "b.asice")}, "c.asice: linkinginfo names it, but it is not there"),
        ({name: FILES[name] for name in ("a.asice", "c.asice")}, "removed, surplus or reordered"),
        ({name: FILES[name] for name in ("b.asice", "a.asice", "c.asice")}, "removed, surplus or reordered"),
        ({**FILES, "d.asice": bytes(64)}, "d.asice: linkinginfo does not name it"),
        ({}, "a.asice: linkinginfo names it, but it is not there"),
    ],
)
def test_a_changed_missing_surplus_or_reordered_container_is_refused(found: dict[str, bytes], reason: str) -> None:
    with pytest.raises(LinkingError, match=reason):
        verify(chain(), found.items())


def test_a_chain_that_begins_elsewhere_is_refused() -> None:
    with pytest.raises(LinkingError, match="its digest is not"):
        verify(replace(chain(), previous=Link("0" * 128, "mlog.zip")), FILES.items())


def test_an_archive_without_containers_is_refused() -> None:
    with pytest.raises(LinkingError, match="no container"):
        verify(LinkingInfo(START, ()), [])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"- -\n",
        b"- - SHA-256\n",
        b"- - MD5\n",
        b"- mlog.zip SHA-512\n",
        b"%s - SHA-512\n" % (b"0" * 128),
        b"00 mlog.zip SHA-512\n",
        b"- - SHA-512\nabc\n",
        b"- - SHA-512\n%s\n" % (b"0" * 128),
        b"- - SHA-512\n%s a.asice b\n" % (b"0" * 128),
        b"- - SHA-512\n%s a.asice\n" % (b"Z" * 128),
        b"- - SHA-512\n%s ../a.asice\n" % (b"0" * 128),
        b"- - SHA-512\n%s a.asice\n%s a.asice\n" % (b"0" * 128, b"1" * 128),
    ],
)
def test_what_is_no_linking_info_is_refused(text: bytes) -> None:
    with pytest.raises(LinkingError):
        parse(text)


@pytest.mark.parametrize(
    ("group", "encrypted", "name"),
    [
        (None, False, "mlog-20260701120000-20260701120000-abcdef0123456789.zip"),
        (NSAF.member, False, "mlog-KH-SANDBOX_GOV_NSAF-20260701120000-20260701120000-abcdef0123456789.zip"),
        (NSAF, True, "mlog-KH-SANDBOX_GOV_NSAF_FAMILY-PACKAGE-20260701120000-20260701120000-abcdef0123456789.zip.gpg"),
    ],
)
def test_archives_are_named_as_xroad_names_them(group: ClientId | None, encrypted: bool, name: str) -> None:  # noqa: FBT001
    assert archive_name(group, AT, AT, "abcdef0123456789" + "0" * 112, encrypted=encrypted) == name


def test_a_long_or_dangerous_group_makes_a_short_and_harmless_name() -> None:
    group = ClientId("KH", "GOV", "ក" * 250, "a|b*?")
    assert len(archive_name(group, AT, AT, "0" * 128, encrypted=True).encode()) < 256
    assert "|" not in archive_name(replace(group, member_code="x"), AT, AT, "0" * 128, encrypted=True)
