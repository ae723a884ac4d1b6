"""What X-Road itself published and stored: its directories verify, its parameters read as they are written."""

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from tests.support.globalconf import shared_parameters
from tests.support.pki import Pki
from xroad import xmlsafe
from xroad.errors import XRoadError
from xroad.globalconf.directory import SourceKind, verify_directory
from xroad.globalconf.errors import (
    DirectorySignatureInvalid,
    DirectorySignerUnknown,
    MalformedGlobalConf,
    OutdatedGlobalConf,
    PartDigestMismatch,
    WrongInstance,
)
from xroad.globalconf.multipart import split_message, split_multipart
from xroad.globalconf.parameters import build_private, build_shared, parse_private, parse_shared, project
from xroad.globalconf.parameters.model import Anchor, AnchorSource, CostType, CsrFormat, MaintenanceMode
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import load_directory
from xroad.identifiers import ClientId, GlobalGroupId, SecurityServerId

Shared = Callable[[str], Path]

WITHIN = datetime(2026, 1, 1, tzinfo=UTC)
AFTER = datetime(2036, 1, 1, tzinfo=UTC)

# The internal directory of version 6 was signed with a certificate that is in none of the files beside it, and the
# external one is of an earlier generation of shared parameters than the file beside it: each gets its own tests below.
SIGNED = [
    (5, "internalconf", SourceKind.INTERNAL),
    (5, "externalconf", SourceKind.EXTERNAL),
    (6, "externalconf", SourceKind.EXTERNAL),
]


def signed_folder(shared: Shared, version: int) -> Path:
    return shared(f"vectors/xroad/globalconf/signed/V{version}")


def source_of(shared: Shared, version: int) -> Anchor:
    """An anchor that trusts the signing certificates that the shared parameters of the folder name."""
    data = next(signed_folder(shared, version).glob("*/shared-params.xml")).read_bytes()
    sources = parse_shared(data, version).sources
    certificates = [
        each for source in sources for each in (*source.internal_certificates, *source.external_certificates)
    ]
    return Anchor("DEV", None, (AnchorSource("http://cs/internalconf", tuple(certificates)),))


@pytest.mark.parametrize(("version", "name", "kind"), SIGNED)
def test_a_signed_directory_verifies(shared: Shared, version: int, name: str, kind: SourceKind) -> None:
    data = (signed_folder(shared, version) / name).read_bytes()
    signed = verify_directory(data, source_of(shared, version), WITHIN, kind=kind)
    assert (signed.instance, signed.version) == ("DEV", version)
    assert {part.content_identifier for part in signed.parts} == set(kind.value)
    for part in signed.parts:
        assert part.url("http://cs/internalconf?version=6") == f"http://cs{part.location}"


@pytest.mark.parametrize(("name", "kind"), [each[1:] for each in SIGNED if each[0] == 5])
def test_the_parts_of_a_signed_directory_are_those_it_describes(shared: Shared, name: str, kind: SourceKind) -> None:
    folder = signed_folder(shared, 5)
    for part in verify_directory((folder / name).read_bytes(), source_of(shared, 5), WITHIN, kind=kind).parts:
        content = (folder.parent / part.location.lstrip("/")).read_bytes()
        assert part.verify(content) == content


def test_the_digests_of_the_internal_directory_of_version_6_are_those_of_its_parts(shared: Shared) -> None:
    folder = signed_folder(shared, 6)
    directory, _signature = split_message((folder / "internalconf").read_bytes(), "multipart/related")
    _header, *parts = split_multipart(directory, "multipart/mixed")
    for part in parts:
        content = (folder.parent / part.header("Content-location").lstrip("/")).read_bytes()
        assert base64.b64decode(part.body) == hashlib.sha512(content).digest()
    assert len(parts) == 2


def test_a_part_of_another_generation_is_refused(shared: Shared) -> None:
    folder = signed_folder(shared, 6)
    source = source_of(shared, 6)
    signed = verify_directory((folder / "externalconf").read_bytes(), source, WITHIN, kind=SourceKind.EXTERNAL)
    with pytest.raises(PartDigestMismatch):
        signed.parts[0].verify((folder.parent / signed.parts[0].location.lstrip("/")).read_bytes())


@pytest.mark.parametrize(("version", "name", "kind"), SIGNED)
def test_a_directory_is_refused_once_it_has_expired(shared: Shared, version: int, name: str, kind: SourceKind) -> None:
    data, source = (signed_folder(shared, version) / name).read_bytes(), source_of(shared, version)
    expires_at = verify_directory(data, source, WITHIN, kind=kind).expires_at
    assert verify_directory(data, source, expires_at, kind=kind).expires_at == expires_at
    with pytest.raises(OutdatedGlobalConf, match="valid until 2035"):
        verify_directory(data, source, expires_at + timedelta(seconds=1), kind=kind)


def test_a_signer_that_the_anchor_does_not_name_is_refused(shared: Shared) -> None:
    data = (signed_folder(shared, 6) / "internalconf").read_bytes()
    with pytest.raises(DirectorySignerUnknown):
        verify_directory(data, source_of(shared, 6), WITHIN, kind=SourceKind.INTERNAL)


@pytest.mark.parametrize(("version", "name", "kind"), SIGNED)
def test_any_flipped_byte_of_the_signed_part_is_refused(
    shared: Shared, version: int, name: str, kind: SourceKind
) -> None:
    data, source = (signed_folder(shared, version) / name).read_bytes(), source_of(shared, version)
    start = data.index(b"\r\n\r\n", data.index(b"multipart/mixed")) + 4
    end = data.rindex(b"\r\n--", 0, data.index(b"Signature-Algorithm-Id"))
    for place in range(start, end):
        flipped = bytearray(data)
        flipped[place] ^= 0x01
        with pytest.raises((DirectorySignatureInvalid, MalformedGlobalConf)):
            verify_directory(bytes(flipped), source, WITHIN, kind=kind)


def test_a_directory_of_another_instance_is_refused(shared: Shared) -> None:
    source = source_of(shared, 6)
    data = (signed_folder(shared, 6) / "externalconf").read_bytes()
    with pytest.raises(WrongInstance, match="DEV"):
        verify_directory(data, Anchor("EE", None, source.sources), WITHIN, kind=SourceKind.EXTERNAL)


def downloaded(shared: Shared, version: int) -> dict[str, bytes]:
    root = shared(f"vectors/xroad/globalconf/downloaded/globalconf_good_v{version}")
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("version", "instances"),
    [
        (3, ("EE", "bar", "foo_v2")),
        (5, ("EE", "bar", "baz_v3", "foo_v2", "qux_v4")),
        (6, ("EE", "bar", "baz_v3", "foo_v2", "quux_v5", "qux_v4")),
    ],
)
def test_a_stored_configuration_loads(shared: Shared, version: int, instances: tuple[str, ...]) -> None:
    trust = load_directory(downloaded(shared, version), WITHIN)
    assert trust.instances == instances
    assert trust.rejected == {}
    assert (trust.instance, trust.version) == ("EE", version)
    assert trust.expires_at == datetime(2124, 5, 20, 17, 42, 55, tzinfo=UTC)
    assert trust.ocsp_freshness_seconds == 42
    assert trust.time_stamping_interval_seconds == 123
    assert trust.private is not None
    assert [anchor.instance for anchor in trust.private.anchors] == ["bar"]
    assert trust.private.anchors[0].sources[0].url == "http://www.bar.com/conf"
    assert trust.private.management.provider == ClientId("EE", "BUSINESS", "servicemember2")


def ee(path: str) -> ClientId:
    return ClientId("EE", *path.split("/"))


@pytest.fixture
def trust(shared: Shared) -> TrustSnapshot:
    return load_directory(downloaded(shared, 6), WITHIN)


def test_members_and_servers_of_a_stored_configuration(trust: TrustSnapshot) -> None:
    foo = ee("BUSINESS/foo")
    foobar = SecurityServerId("EE", "BUSINESS", "foo", "FooBarServerCode")
    producer = SecurityServerId("EE", "BUSINESS", "producer", "producerServerCode")
    assert trust.member_name(foo) == "Org with no address"
    assert trust.subsystems_of(foo) == (ee("BUSINESS/foo/foosubsystem"), ee("BUSINESS/foo/barsubsystemId"))
    assert trust.subsystem_name(ee("BUSINESS/foo/foosubsystem")) == "FOO Subsystem"
    assert [each.server_id for each in trust.servers_of(ee("BUSINESS/foo/foosubsystem"))] == [producer]
    assert {each.server_id.server_code for each in trust.servers_of(foo)} == {
        "producerServerCode",
        "fooServerCode",
        "FooBarServerCode",
    }
    assert trust.maintenance_mode(foobar) == MaintenanceMode("Test maintenance mode")
    assert trust.maintenance_mode(producer) is None
    found = trust.server(producer)
    assert found is not None
    assert found.address == "127.0.0.1"
    assert trust.in_global_group(ee("BUSINESS/member1/subsys"), GlobalGroupId("EE", "Test group"))
    assert not trust.in_global_group(ee("BUSINESS/member1"), GlobalGroupId("EE", "Test group"))


def test_authorities_of_a_stored_configuration(trust: TrustSnapshot) -> None:
    assert len(trust.ca_certificates("EE")) == 5
    assert len(trust.top_ca_certificates("EE")) == 2
    assert trust.signing_ca_certificates("EE") == trust.ca_certificates("EE")[:1]
    pki1 = trust.ca_certificates("EE")[0]
    approval = trust.approved_ca(pki1, "EE")
    assert approval is not None
    assert (approval.name, approval.default_csr_format) == ("pki1", CsrFormat.PEM)
    assert approval.acme is not None
    assert (approval.acme.authentication_profile_id, approval.acme.signing_profile_id) == ("5", "6")
    costs = [(each.url, each.cost) for each in trust.ocsp_responders(pki1)[:4]]
    assert costs == [
        ("http://127.0.0.1:8082/ocsp", CostType.FREE),
        ("http://www.example.net/ocsp", CostType.PAID),
        ("http://www.example.net/ocsp2", CostType.PAID),
        ("http://www.example.net/ocsp3", None),
    ]
    tsa = trust.time_stamping_authorities[0]
    assert (tsa.name, tsa.url, tsa.cost) == ("Test TSP", "http://www.foo.bar", CostType.PAID)


def test_a_verifiers_configuration_without_private_parameters_loads(shared: Shared) -> None:
    root = shared("vectors/xroad/asic/verificationconf")
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    trust = load_directory(files, AFTER, require_private=False)
    assert (trust.instance, trust.private) == ("DEV", None)
    assert trust.is_registered(ClientId("DEV", "COM", "1234", "TestService"))
    with pytest.raises(XRoadError):
        load_directory(files, AFTER)


def test_a_certificate_that_is_pem_inside_base64_is_read(shared: Shared) -> None:
    data = next(signed_folder(shared, 6).glob("*/shared-params.xml")).read_bytes()
    parsed = parse_shared(data, 6)
    assert all(ca.top.certificate.startswith(b"\x30\x82") for ca in parsed.approved_cas)


@pytest.mark.parametrize("stored", [3, 5, 6])
def test_what_x_road_stored_survives_being_written_again(shared: Shared, stored: int) -> None:
    trust = load_directory(downloaded(shared, stored), WITHIN)
    for instance in trust.instances:
        version, parsed = trust.known[instance].index.version, trust.shared(instance)
        assert parsed is not None
        if version >= 3:
            assert parse_shared(build_shared(parsed, version), version) == parsed


@pytest.fixture
def schema(shared: Shared) -> Callable[[str], etree.XMLSchema]:
    folder = shared("standards/xroad-xsd/globalconf")
    # The schemas are ours to trust; only documents from outside must pass the door of xmlsafe.
    return lambda name: etree.XMLSchema(file=str(folder / name))


@pytest.mark.parametrize("version", [3, 4, 5, 6])
def test_what_is_written_is_valid_by_x_roads_schema(
    version: int, shared: Shared, schema: Callable[[str], etree.XMLSchema]
) -> None:
    rich = load_directory(downloaded(shared, 6), WITHIN)
    parameters = rich.shared()
    assert parameters is not None
    assert rich.private is not None
    shared_schema, private_schema = schema(f"v{version}/shared-parameters.xsd"), schema("v3/private-parameters.xsd")
    for each in (parameters, shared_parameters(Pki.create())):
        data = build_shared(each, version)
        shared_schema.assertValid(_tree(data))
        assert parse_shared(data, version) == project(each, version)
    data = build_private(rich.private, version)
    private_schema.assertValid(_tree(data))
    assert parse_private(data, version) == rich.private


def _tree(data: bytes) -> etree._Element:
    return xmlsafe.parse(data)
