import base64
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.globalconf import INSTANCE, client, private_parameters, server, shared_parameters
from tests.support.pki import AT, Pki
from xroad.globalconf.anchor import anchor_hash, build_anchor, parse_anchor
from xroad.globalconf.errors import MalformedAnchor, MalformedGlobalConf, UnsupportedVersion
from xroad.globalconf.parameters import build_private, build_shared, parse_private, parse_shared, project
from xroad.globalconf.parameters.model import (
    AcmeServer,
    Anchor,
    AnchorSource,
    CostType,
    CsrFormat,
    MaintenanceMode,
    SharedParameters,
)


@pytest.fixture(scope="module")
def shared() -> SharedParameters:
    """Everything that a version-6 file can carry."""
    plain = shared_parameters(
        Pki.create(intermediate=True),
        servers=[server("GOV/MOP/SS1", clients=["GOV/MOP/IDPOOR"], maintenance=MaintenanceMode("until noon"))],
        groups={"registries": ["GOV/MOP/IDPOOR"]},
    )
    ca = plain.approved_cas[0]
    ca = replace(
        ca,
        top=replace(ca.top, ocsp=(replace(ca.top.ocsp[0], cost=CostType.PAID),)),
        default_csr_format=CsrFormat.DER,
        acme=AcmeServer("https://ca.example/acme", "192.0.2.1", "auth", "sign"),
    )
    tsa = replace(plain.approved_tsas[0], cost=CostType.FREE)
    return replace(plain, approved_cas=(ca,), approved_tsas=(tsa,))


@pytest.mark.parametrize("version", [3, 4, 5, 6])
def test_what_is_written_is_read_back(shared: SharedParameters, version: int) -> None:
    assert parse_shared(build_shared(shared, version), version) == project(shared, version)
    assert parse_private(build_private(private_parameters(), version), version) == private_parameters()


def test_an_older_version_leaves_out_what_it_cannot_carry(shared: SharedParameters) -> None:
    assert project(shared, 6) == shared
    old = project(shared, 3)
    assert old.members[0].subsystems[0].name is None
    assert old.servers[0].maintenance is None
    assert old.approved_tsas[0].cost is None
    assert old.approved_cas[0].default_csr_format is None
    assert old.approved_cas[0].acme == AcmeServer("https://ca.example/acme", "192.0.2.1")
    assert project(shared, 4).approved_cas[0].acme == shared.approved_cas[0].acme
    assert project(shared, 5).members == shared.members


@pytest.mark.parametrize("version", [0, 1, 7])
def test_an_unknown_version_is_refused(shared: SharedParameters, version: int) -> None:
    data = build_shared(shared, 6)
    with pytest.raises(UnsupportedVersion, match="supported: 2, 3, 4, 5, 6"):
        parse_shared(data, version)
    with pytest.raises(UnsupportedVersion):
        parse_private(build_private(private_parameters(), 6), version)


@pytest.mark.parametrize("version", [2, 7])
def test_a_version_that_is_not_written_is_a_mistake_of_the_program(shared: SharedParameters, version: int) -> None:
    with pytest.raises(ValueError, match="not written"):
        build_shared(shared, version)
    with pytest.raises(ValueError, match="not written"):
        build_private(private_parameters(), version)


@pytest.mark.parametrize("version", [3, 4, 5])
def test_a_newer_element_is_refused_in_an_older_version(shared: SharedParameters, version: int) -> None:
    with pytest.raises(MalformedGlobalConf, match="forbids"):
        parse_shared(build_shared(shared, 6), version)


def test_extensions_at_the_end_are_passed_over(shared: SharedParameters) -> None:
    data = build_shared(shared, 6).replace(b"</tns:conf>", b"<own:more xmlns:own='urn:own'/></tns:conf>")
    assert parse_shared(data, 6) == shared


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-20],
        lambda data: b'<!DOCTYPE x [<!ENTITY e "e">]>' + data,
        swap(b"http://x-road.eu/xsd/xroad.xsd", b"urn:other"),
        swap(b"<instanceIdentifier>KH-SANDBOX</instanceIdentifier>", b""),
        swap(b"<instanceIdentifier>", b"<instanceIdentifier>A</instanceIdentifier><instanceIdentifier>"),
        swap(b"KH-SANDBOX", b"<b/>KH"),
        swap(b"<ocspFreshnessSeconds>3600", b"<ocspFreshnessSeconds>-1"),
        swap(b"<ocspFreshnessSeconds>3600", b"<ocspFreshnessSeconds>" + b"9" * 30),
        swap(b"<authenticationOnly>false", b"<authenticationOnly>maybe"),
        swap(b"<costType>PAID", b"<costType>CHEAP"),
        swap(b"<cert>", b"<cert>!"),
        swap(b'id="id1"', b'id="id0"'),
        swap(b"<owner>id0", b"<owner>id99"),
        swap(b"<client>id1", b"<client>nobody"),
        swap(b"<cert>", b"<cert>LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tIQ==</cert><cert>"),
    ],
)
def test_a_file_against_its_schema_is_refused(shared: SharedParameters, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(MalformedGlobalConf):
        parse_shared(change(build_shared(shared, 6)), 6)


def test_a_pem_that_is_no_pem_is_refused(shared: SharedParameters) -> None:
    broken = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----")
    data = build_shared(shared, 6)
    start = data.index(b"<cert>") + 6
    with pytest.raises(MalformedGlobalConf, match="PEM"):
        parse_shared(data[:start] + broken + data[data.index(b"</cert>") :], 6)


def test_a_comment_does_not_cut_a_value(shared: SharedParameters) -> None:
    data = build_shared(shared, 6).replace(
        b"KH-SANDBOX</instanceIdentifier>", b"KH-<!-- -->SANDBOX</instanceIdentifier>"
    )
    assert parse_shared(data, 6).instance == INSTANCE


def test_a_member_with_forbidden_characters_is_left_out_and_told_of(shared: SharedParameters) -> None:
    """Older instances have such members; one of them must not end everybody else's configuration."""
    data = build_shared(shared, 6).replace(b"<memberCode>MOP<", b"<memberCode>M%OP<")
    parsed = parse_shared(data, 6)
    assert [member.id for member in parsed.members] == [client("GOV/NSSF"), client("GOV/NSAF")]
    assert parsed.servers == ()
    assert "Member GOV/MOP" in parsed.left_out[0]
    data = build_shared(shared, 6).replace(b"<subsystemCode>IDPOOR<", b"<subsystemCode>ID/POOR<")
    parsed = parse_shared(data, 6)
    assert parsed.members[0].subsystems == ()
    assert parsed.servers[0].clients == ()
    assert parsed.groups[0].members == shared.groups[0].members
    assert len(parsed.left_out) == 1
    data = build_shared(shared, 6).replace(b"<id:subsystemCode>IDPOOR<", b"<id:subsystemCode>ID/POOR<")
    assert parse_shared(data, 6).groups[0].members == ()
    assert parse_shared(build_shared(shared, 6).replace(b">SS1<", b">S:S<"), 6).servers == ()
    assert parse_shared(build_shared(shared, 6).replace(b">registries</groupCode", b">a/b</groupCode"), 6).groups == ()


def test_parameters_without_a_source_cannot_be_written(shared: SharedParameters) -> None:
    with pytest.raises(ValueError, match="source"):
        build_shared(replace(shared, sources=()), 6)


def test_a_server_of_a_stranger_cannot_be_written(shared: SharedParameters) -> None:
    with pytest.raises(ValueError, match="not among the members"):
        build_shared(replace(shared, members=shared.members[1:]), 6)


@pytest.mark.parametrize(
    "change",
    [
        swap(b"<timeStampingIntervalSeconds>60", b"<timeStampingIntervalSeconds>often"),
        swap(b"<id:memberCode>MOP", b"<id:memberCode>M%P"),
        swap(b"managementService>", b"x>"),
    ],
)
def test_broken_private_parameters_are_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(MalformedGlobalConf):
        parse_private(change(build_private(private_parameters(), 6)), 6)


ANCHOR = Anchor(
    "EE", AT, (AnchorSource("http://cs/internalconf", (b"one", b"two")), AnchorSource("https://cs/", (b"x",)))
)


def test_an_anchor_survives_its_file() -> None:
    assert parse_anchor(build_anchor(ANCHOR)) == ANCHOR
    without_date = replace(ANCHOR, generated_at=None)
    assert parse_anchor(build_anchor(without_date)) == without_date


def test_an_anchors_hash_is_shown_as_x_road_shows_it() -> None:
    assert anchor_hash(b"anchor").count(":") == 27
    assert anchor_hash(b"").startswith("D1:4A:02:8C:2A:3A:2B:C9")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<configurationAnchor/>",
        b"no XML",
        build_anchor(ANCHOR).replace(b"verificationCert>", b"cert>"),
        build_anchor(ANCHOR).replace(b"<instanceIdentifier>EE</instanceIdentifier>", b""),
        build_anchor(ANCHOR).replace(b"2026-03-14T", b"yesterday"),
        build_anchor(ANCHOR)[:100] + b"</x>",
        (
            b"<tns:configurationAnchor xmlns:tns='http://x-road.eu/xsd/xroad.xsd'>"
            b"<instanceIdentifier>EE</instanceIdentifier></tns:configurationAnchor>"
        ),
        (
            b"<tns:configurationAnchor xmlns:tns='http://x-road.eu/xsd/xroad.xsd'><instanceIdentifier>EE"
            b"</instanceIdentifier><source><downloadURL>http://cs/</downloadURL></source></tns:configurationAnchor>"
        ),
    ],
)
def test_what_is_no_anchor_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedAnchor, match="governing authority"):
        parse_anchor(data)


@pytest.mark.parametrize("sources", [(), (AnchorSource("http://cs/", ()),)])
def test_an_anchor_without_trust_cannot_be_written(sources: tuple[AnchorSource, ...]) -> None:
    with pytest.raises(ValueError, match="needs"):
        build_anchor(replace(ANCHOR, sources=sources))
