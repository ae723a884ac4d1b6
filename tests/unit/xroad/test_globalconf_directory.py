import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.globalconf import INSTANCE, SigningSource, private_parameters, shared_parameters
from tests.support.pki import AT, Pki, leaf, name
from xroad.algorithms import RSA_SHA256, default_algorithm
from xroad.globalconf.directory import (
    MAX_DIRECTORY_BYTES,
    MAX_PARTS,
    SignedDirectory,
    SourceKind,
    verify_directory,
    versioned_url,
)
from xroad.globalconf.errors import (
    ConfigurationTooLarge,
    DirectoryAlgorithmRefused,
    DirectorySignatureInvalid,
    DirectorySignerUnknown,
    MalformedGlobalConf,
    OutdatedGlobalConf,
    PartDigestMismatch,
    PartMissing,
    PartUnsafe,
    UnsupportedVersion,
    WrongInstance,
)
from xroad.globalconf.parameters.model import Anchor, AnchorSource
from xroad.globalconf.part import PRIVATE_PARAMETERS, SHARED_PARAMETERS
from xroad.globalconf.publication import NewPart, build_directory

SHARED = NewPart(SHARED_PARAMETERS, "/V6/1/shared-params.xml", b"<shared/>")
PRIVATE = NewPart(PRIVATE_PARAMETERS, "/V6/1/private-params.xml", b"<private/>")


@pytest.fixture
def source() -> SigningSource:
    return SigningSource.create()


def verify(source: SigningSource, data: bytes, kind: SourceKind = SourceKind.INTERNAL) -> SignedDirectory:
    return verify_directory(data, source.anchor, AT, kind=kind)


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-2048"])
def test_what_is_built_verifies(key_type: str) -> None:
    source = SigningSource.create(Pki.create(key_type))  # type: ignore[arg-type]
    signed = verify(source, source.publish(shared_parameters(Pki.create()), private_parameters()))
    assert (signed.instance, signed.version, signed.expires_at) == (INSTANCE, 6, AT + timedelta(minutes=10))
    assert [part.verify(source.contents[part.location]) for part in signed.parts] == list(source.contents.values())


def test_line_breaks_and_headers_are_those_of_x_road(source: SigningSource) -> None:
    data = source.sign([SHARED, PRIVATE])
    assert data.startswith(b"Content-Type: multipart/related; charset=UTF-8; boundary=")
    assert data.count(b"\n") == data.count(b"\r\n")
    assert b"\r\nExpire-date: 2026-03-14T09:36:53Z\r\nVersion: 6\r\n\r\n--" in data
    assert f"Content-identifier: SHARED-PARAMETERS; instance='{INSTANCE}'\r\n".encode() in data


def test_another_key_is_unknown(source: SigningSource) -> None:
    stranger = SigningSource.create(label="stranger")
    with pytest.raises(DirectorySignerUnknown, match="anchor"):
        verify(source, stranger.sign([SHARED, PRIVATE]))


def test_a_key_that_shared_parameters_named_is_accepted_beside_the_anchor(source: SigningSource) -> None:
    renewed = SigningSource.create(label="renewed")
    data = renewed.sign([SHARED, PRIVATE])
    signed = verify_directory(
        data, source.anchor, AT, kind=SourceKind.INTERNAL, extra_certificates=[renewed.certificate]
    )
    assert len(signed.parts) == 2


def test_a_signature_by_another_key_under_the_right_certificate_is_refused(source: SigningSource) -> None:
    stranger = SigningSource.create(label="stranger")
    unsigned = build_directory([SHARED, PRIVATE], instance=INSTANCE, version=6, expires_at=AT + timedelta(hours=1))
    algorithm = default_algorithm(stranger.signer.certificate.public_key())
    data = unsigned.complete(algorithm.sign(stranger.signer.key, unsigned.data_to_sign), algorithm, source.certificate)
    with pytest.raises(DirectorySignatureInvalid):
        verify(source, data)


def test_a_signing_certificate_that_cannot_be_read_is_refused(source: SigningSource) -> None:
    unsigned = build_directory([SHARED, PRIVATE], instance=INSTANCE, version=6, expires_at=AT)
    algorithm = default_algorithm(source.signer.certificate.public_key())
    data = unsigned.complete(b"x", algorithm, b"bar\n")
    anchor = Anchor(INSTANCE, None, (AnchorSource("http://x/", (b"bar\n",)),))
    with pytest.raises(DirectorySignerUnknown):
        verify_directory(data, anchor, AT, kind=SourceKind.INTERNAL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", b"http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        (b'hash-algorithm-id="http://www.w3.org/2001/04/xmlenc#sha512"', b'hash-algorithm-id="urn:md5"'),
        (b'; hash-algorithm-id="http://www.w3.org/2001/04/xmlenc#sha512"', b""),
        (b"xmldsig-more#ecdsa-sha512", b"xmldsig-more#rsa-sha512"),
    ],
)
def test_algorithms_outside_the_list_are_refused(source: SigningSource, old: bytes, new: bytes) -> None:
    data = source.sign([SHARED, PRIVATE])
    assert old in data
    with pytest.raises(DirectoryAlgorithmRefused):
        verify(source, data.replace(old, new))


def test_a_weak_signing_key_is_refused() -> None:
    pki = Pki.create("rsa-1024")
    source = SigningSource(leaf(pki.root, name("weak"), "rsa-1024", AT, "none"))
    unsigned = build_directory([SHARED, PRIVATE], instance=INSTANCE, version=6, expires_at=AT)
    signature = RSA_SHA256.sign(source.signer.key, unsigned.data_to_sign)
    with pytest.raises(DirectoryAlgorithmRefused):
        verify(source, unsigned.complete(signature, RSA_SHA256, source.certificate))


def test_an_expired_directory_is_refused_with_a_sentence(source: SigningSource) -> None:
    data = source.sign([SHARED, PRIVATE], expires_at=AT - timedelta(seconds=1))
    with pytest.raises(OutdatedGlobalConf) as caught:
        verify(source, data)
    assert "valid until 2026-03-14 09:26:52 UTC" in caught.value.detail
    assert "central server can be reached" in caught.value.detail
    assert "clock" in caught.value.detail


def test_a_directory_of_another_instance_is_refused(source: SigningSource) -> None:
    with pytest.raises(WrongInstance, match=INSTANCE):
        verify(source, source.sign([SHARED, PRIVATE], instance="EE"))


@pytest.mark.parametrize(
    ("parts", "kind"),
    [([SHARED], SourceKind.INTERNAL), ([PRIVATE], SourceKind.INTERNAL), ([], SourceKind.EXTERNAL)],
)
def test_a_missing_part_is_refused(source: SigningSource, parts: list[NewPart], kind: SourceKind) -> None:
    with pytest.raises(PartMissing):
        verify(source, source.sign(parts), kind)


def splice(source: SigningSource, change: Callable[[bytes], bytes]) -> bytes:
    """Sign what a change makes of the directory's octets."""
    unsigned = build_directory([SHARED, PRIVATE], instance=INSTANCE, version=6, expires_at=AT + timedelta(hours=1))
    changed = replace(unsigned, data_to_sign=change(unsigned.data_to_sign))
    algorithm = default_algorithm(source.signer.certificate.public_key())
    return changed.complete(algorithm.sign(source.signer.key, changed.data_to_sign), algorithm, source.certificate)


def swap(old: bytes, new: bytes, count: int = -1) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, count)

    return change


LOCATION = b"Content-location: /V6/1/shared-params.xml"
INSTANCE_PARAMETER = f"; instance='{INSTANCE}'".encode()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (swap(b"Version: 6", b"Version: 7"), UnsupportedVersion),
        (swap(b"Version: 6", b"Version: 1"), UnsupportedVersion),
        (swap(b"Version: 6", b"Version: six"), MalformedGlobalConf),
        (swap(b"Version: 6", b"Version: 6\r\nVersion: 5"), MalformedGlobalConf),
        (swap(b"Expire-date: 2026", b"Expire-date: soon, 2026"), MalformedGlobalConf),
        (swap(b"Expire-date", b"Expires"), MalformedGlobalConf),
        (swap(LOCATION, b"Content-location: ../../etc/passwd"), PartUnsafe),
        (swap(LOCATION, b"Content-location: /V6/%2e%2E/secret"), PartUnsafe),
        (swap(LOCATION, b"Content-location: /V6\\..\\secret"), PartUnsafe),
        (swap(LOCATION, b"Content-location: /V6/a b"), PartUnsafe),
        (swap(LOCATION, b"Content-location: /" + b"a" * 3000), PartUnsafe),
        (swap(LOCATION + b"\r\n", b""), MalformedGlobalConf),
        (swap(INSTANCE_PARAMETER, b""), MalformedGlobalConf),
        (swap(INSTANCE_PARAMETER, b"; instance='EE'", 1), WrongInstance),
        (swap(b"PRIVATE-PARAMETERS", b"SHARED-PARAMETERS"), MalformedGlobalConf),
        (swap(b"xmlenc#sha512", b"xmldsig#sha1"), DirectoryAlgorithmRefused),
        (swap(b"Content-transfer-encoding: base64", b"Content-transfer-encoding: binary"), MalformedGlobalConf),
        (swap(b"Content-type: application/octet-stream", b"Content-type: text/html"), MalformedGlobalConf),
        (swap(b"==\r\n", b"=!\r\n"), MalformedGlobalConf),
        (swap(b"\r\n", b"\n"), MalformedGlobalConf),
        (lambda data: b"preamble\r\n" + data, MalformedGlobalConf),
        (lambda data: data + b"epilogue", MalformedGlobalConf),
        (lambda data: data[: len(data) // 2], MalformedGlobalConf),
        (lambda _: b"", MalformedGlobalConf),
        (swap(b"Version: 6", b"\r\n".join(b"X-%d: x" % number for number in range(40))), MalformedGlobalConf),
        (swap(b"Version: 6", b"X: \xff\xfe"), MalformedGlobalConf),
    ],
)
def test_a_signed_but_broken_directory_is_refused(
    source: SigningSource, change: Callable[[bytes], bytes], error: type[MalformedGlobalConf]
) -> None:
    with pytest.raises(error) as caught:
        verify(source, splice(source, change))
    assert caught.value.bare_code.startswith("MalformedGlobalConf")


def test_the_unsigned_boundary_cannot_give_signed_octets_another_meaning(source: SigningSource) -> None:
    """The inner Content-Type is outside the signature: an attacker may name a boundary found inside a part."""
    decoy = b"--evil\r\nVersion: 6\r\nExpire-date: 2099-01-01T00:00:00Z\r\n\r\n--evil--\r\n"
    data = source.sign([replace(SHARED, file_name_hint="x"), PRIVATE])
    inner = data[data.index(b"multipart/mixed") :]
    boundary = inner[inner.index(b"boundary=") + 9 : inner.index(b"\r\n")]
    assert b"evil" not in boundary
    changed = data.replace(b"boundary=" + boundary, b"boundary=evil").replace(
        b"\r\n\r\n--", b"\r\n\r\n" + decoy + b"--", 2
    )
    with pytest.raises(MalformedGlobalConf):
        verify(source, changed)
    with pytest.raises(MalformedGlobalConf):
        verify(source, data.replace(b"boundary=" + boundary, b"boundary=evil"))


@pytest.mark.parametrize(
    "change",
    [lambda data: data + b"x", lambda data: b"", lambda data: data.replace(b"multipart/related", b"text/plain")],
)
def test_a_broken_envelope_is_refused(source: SigningSource, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(MalformedGlobalConf):
        verify(source, change(source.sign([SHARED, PRIVATE])))


def test_an_oversized_directory_is_refused(source: SigningSource) -> None:
    with pytest.raises(ConfigurationTooLarge):
        verify(source, b"x" * (MAX_DIRECTORY_BYTES + 1))
    parts = [NewPart(f"OPTIONAL-{number}", f"/{number}", b"") for number in range(MAX_PARTS)]
    with pytest.raises(ConfigurationTooLarge):
        verify(source, source.sign([SHARED, PRIVATE, *parts]))


def test_a_part_with_another_content_is_refused(source: SigningSource) -> None:
    part = verify(source, source.sign([SHARED, PRIVATE])).parts[0]
    assert part.verify(SHARED.content) == SHARED.content
    with pytest.raises(PartDigestMismatch):
        part.verify(SHARED.content + b" ")


def test_an_oversized_part_is_refused(source: SigningSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xroad.globalconf.part.MAX_PARAMETERS_BYTES", 4)
    part = verify(source, source.sign([SHARED, PRIVATE])).parts[0]
    with pytest.raises(ConfigurationTooLarge):
        part.verify(SHARED.content)


def test_a_partner_signs_for_nobody_but_itself(source: SigningSource) -> None:
    """Else a federated instance could replace the own instance's members and authorities."""
    extra = base64.b64encode(b"x" * 64)
    section = (
        b"Content-type: application/octet-stream\r\nContent-transfer-encoding: base64\r\n"
        b"Content-identifier: SHARED-PARAMETERS; instance='OTHER'\r\nContent-location: /other.xml\r\n"
        b"Hash-algorithm-id: http://www.w3.org/2001/04/xmlenc#sha512\r\n\r\n" + extra + b"\r\n"
    )

    def insert(data: bytes) -> bytes:
        boundary = data.partition(b"\r\n")[0] + b"\r\n"
        return data.replace(boundary + b"Content-type", boundary + section + boundary + b"Content-type", 1)

    data = splice(source, insert)
    with pytest.raises(WrongInstance):
        verify(source, data, SourceKind.EXTERNAL)
    assert len(verify(source, data, SourceKind.INTERNAL).parts) == 3


def test_of_a_partner_only_shared_parameters_are_taken(source: SigningSource) -> None:
    data = source.sign([SHARED, PRIVATE, NewPart("MONITORING", "/monitoring.xml", b"")])
    signed = verify(source, data, SourceKind.EXTERNAL)
    assert [part.content_identifier for part in signed.parts] == [SHARED_PARAMETERS]


@pytest.mark.parametrize(
    "location", ["http://other.example/x.xml", "//other.example/x.xml", "https://central.example/x"]
)
def test_a_part_on_another_server_is_not_fetched(source: SigningSource, location: str) -> None:
    part = verify(source, source.sign([replace(SHARED, location=location), PRIVATE])).parts[0]
    with pytest.raises(PartUnsafe):
        part.url("http://central.example/internalconf")


@pytest.mark.parametrize(
    ("hint", "location", "expected"),
    [
        ("monitoring-params.xml", "/V6/1/x", "monitoring-params.xml"),
        (None, "/V6/1/monitoring-params.xml", "monitoring-params.xml"),
        ("../shared-params.xml", "/x", None),
        ("shared-params.xml", "/x", None),
        ("private-params.xml", "/x", None),
        ("x.metadata", "/x", None),
        ("instance-identifier", "/x", None),
        (".hidden", "/x", None),
        ("a/b", "/x", None),
        (None, "/V6/", None),
    ],
)
def test_names_of_optional_parts_stay_in_their_folder(
    source: SigningSource, hint: str | None, location: str, expected: str | None
) -> None:
    optional = NewPart("MONITORING", location, b"", hint)
    part = verify(source, source.sign([SHARED, PRIVATE, optional])).parts[2]
    if expected is not None:
        assert part.file_name == expected
        return
    with pytest.raises(PartUnsafe):
        _ = part.file_name


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://cs/internalconf", "http://cs/internalconf?version=6"),
        ("http://cs/internalconf?x=1", "http://cs/internalconf?x=1&version=6"),
        ("http://cs/internalconf?version=3", "http://cs/internalconf?version=3"),
    ],
)
def test_a_version_is_asked_for_unless_the_anchor_asks(url: str, expected: str) -> None:
    assert versioned_url(url, 6) == expected
