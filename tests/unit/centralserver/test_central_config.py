import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralserver.config import (
    AcmeEntry,
    CaEntry,
    CentralConfig,
    FederationEntry,
    GroupEntry,
    IntermediateEntry,
    ManagementEntry,
    MemberEntry,
    OcspEntry,
    ServerEntry,
    TlsEntry,
    TsaEntry,
    load_config,
)
from centralserver.config_file import dump_config, write_config
from centralserver.content import OWNERS_GROUP, Content, SigningCertificates, build_content, referenced_files
from serverkit.config import ConfigError
from serverkit.http import Listen
from tests.support.globalconf import INSTANCE, SigningSource, client
from tests.support.pki import Pki
from xroad.globalconf.anchor import build_anchor
from xroad.globalconf.parameters.model import CostType, CsrFormat, MaintenanceMode
from xroad.identifiers import ClientId, SecurityServerId

SIGNING = SigningCertificates(b"internal", b"external")
Change = Callable[[CentralConfig, Path], CentralConfig]


def content(config: CentralConfig) -> Content:
    return build_content(config, "CENTRAL.toml", SIGNING, ["http://central.example:8080"])


def full(config: CentralConfig, folder: Path) -> CentralConfig:
    """A configuration with something in every table."""
    (folder / "partner.xml").write_bytes(build_anchor(SigningSource.create(instance="EE").anchor))
    ca = replace(
        config.cas[0],
        intermediates=(
            IntermediateEntry(folder / "root.pem", (OcspEntry("http://127.0.0.1:2/ocsp", folder / "tsa.pem"),)),
        ),
        csr_format=CsrFormat.PEM,
        acme=AcmeEntry("https://ca.example/acme", "192.0.2.1", "a", "s"),
        authentication_only=True,
    )
    server = replace(config.servers[0], maintenance="until noon")
    return replace(
        config,
        cas=(ca,),
        servers=(server, ServerEntry(SecurityServerId.parse(f"{INSTANCE}/GOV/MOP/SS2"))),
        tsas=(replace(config.tsas[0], cost=CostType.PAID),),
        federation=(FederationEntry(folder / "partner.xml"),),
        management=ManagementEntry(client("GOV/MOP/IDPOOR"), "https://central.example/", folder / "tsa.pem"),
        tls=TlsEntry(folder / "tls.pem", folder / "tls.key"),
        listen_https=(Listen("127.0.0.1", 0),),
        versions=(6,),
        address="central.example",
        public_urls=("https://central.example",),
    )


def test_a_written_configuration_is_read_back(config: CentralConfig, tmp_path: Path) -> None:
    for each in (config, full(config, tmp_path)):
        write_config(tmp_path / "CENTRAL.toml", each)
        assert load_config(tmp_path / "CENTRAL.toml") == each


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_text_survives_the_file(text: str) -> None:
    member = MemberEntry(client("GOV/MOP"), text)
    written = dump_config(CentralConfig(INSTANCE, pin_env="X", members=(member,)))
    assert tomllib.loads(written)["member"][0]["name"] == text


def test_relative_paths_are_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "CENTRAL.toml").write_text(f'instance = "{INSTANCE}"\npin_file = "pin"\n')
    assert load_config(tmp_path / "CENTRAL.toml").pin_file == tmp_path / "pin"


def _with(**values: Any) -> Change:
    return lambda config, _folder: replace(config, **values)


def _clients(*clients: ClientId) -> Change:
    return lambda config, _folder: replace(config, servers=(replace(config.servers[0], clients=clients),))


@pytest.mark.parametrize(
    ("change", "key", "rule"),
    [
        (_clients(client("GOV/MOP/NONE")), "server[1].clients[1]", "must be a member or subsystem"),
        (_clients(ClientId("EE", "GOV", "MOP")), "server[1].clients[1]", "must be a member or subsystem"),
        (
            _with(servers=(ServerEntry(SecurityServerId(INSTANCE, "GOV", "NOBODY", "SS1")),)),
            "server[1].id",
            "must be owned by a member",
        ),
        (
            _with(members=(MemberEntry(ClientId("EE", "GOV", "MOP"), "x"),), servers=()),
            "member[1].id",
            "of the instance",
        ),
        (_with(members=(MemberEntry(client("COM/MOP"), "x"),), servers=()), "member[1].id", "[[member_class]]"),
        (
            _with(members=(MemberEntry(client("GOV/MOP/X"), "x"),), servers=(), groups=()),
            "member[1].id",
            "subsystems stand",
        ),
        (_with(groups=(GroupEntry("g", "", (client("GOV/NONE"),)),)), "group[1].members[1]", "must be a member"),
        (_with(groups=(GroupEntry("g"), GroupEntry("g"))), "group", "once"),
        (lambda config, _: replace(config, servers=config.servers * 2), "server", "once"),
        (lambda config, _: replace(config, members=config.members * 2), "member", "once"),
    ],
)
def test_names_that_lead_nowhere_are_told(
    config: CentralConfig, tmp_path: Path, change: Change, key: str, rule: str
) -> None:
    write_config(tmp_path / "CENTRAL.toml", change(config, tmp_path))
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "CENTRAL.toml")
    assert caught.value.key == key
    assert rule in caught.value.rule
    assert caught.value.value is not None


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"pin_env": "X"}, "exactly one"),
        ({"pin_file": None}, "exactly one"),
        ({"listen_https": (Listen("::1", 0),)}, "tls"),
        ({"refresh_seconds": 400}, "half"),
        ({"versions": (2,)}, "versions"),
        ({"versions": ()}, "versions"),
        ({"listen": ()}, "listen"),
    ],
)
def test_rules_across_keys(config: CentralConfig, values: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        replace(config, **values)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('instance = "a/b"', "instance"),
        ("validity_seconds = 100000000", "validity_seconds"),
        ('key_type = "dsa"', "key_type"),
        ('listen = ["nowhere"]', "listen"),
        ('[[server]]\nid = "KH-SANDBOX/GOV/MOP"', "server[1].id"),
        ('[[server]]\nid = "KH-SANDBOX/GOV/MOP/SS1"\naddress = "http://ss1.gov.test"', "server[1].address"),
        ('[[server]]\nid = "KH-SANDBOX/GOV/MOP/SS1"\naddress = "ss1..gov.test"', "server[1].address"),
        ('[[server]]\nid = "KH-SANDBOX/GOV/MOP/SS1"\naddress = "ss1.gov.test:5500"', "server[1].address"),
        ('address = "central gov"', "address"),
        ('[[member]]\nid = "KH-SANDBOX/GOV/MOP"\nname = ""', "member[1].name"),
        ('[[tsa]]\nname = "x"\nurl = "ftp://x"\ncertificate = "x"', "tsa[1].url"),
        ("[[ca]]\nname = 'x'", "ca[1].certificate"),
        ("[[ca]]\nname = 'x'\ncertificate = 'x'\n[[ca.ocsp]]\nurl = 'x'", "ca[1].ocsp[1].url"),
    ],
)
def test_a_broken_key_is_named(tmp_path: Path, text: str, key: str) -> None:
    prefix = "" if text.startswith("instance") else f'instance = "{INSTANCE}"\n'
    (tmp_path / "CENTRAL.toml").write_text(f'pin_env = "X"\n{prefix}{text}\n')
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "CENTRAL.toml")
    assert caught.value.key.startswith(key)


def test_everything_reaches_the_parameters(config: CentralConfig, tmp_path: Path, pki: Pki) -> None:
    made = content(full(config, tmp_path))
    shared, private = made.shared, made.private
    assert shared.sources[0].address == "central.example"
    assert (shared.sources[0].internal_certificates, shared.sources[0].external_certificates) == (
        (b"internal",),
        (b"external",),
    )
    ca = shared.approved_cas[0]
    assert (ca.authentication_only, ca.default_csr_format) == (True, CsrFormat.PEM)
    assert ca.acme is not None
    assert ca.acme.signing_profile_id == "s"
    assert [each.ocsp[0].url for each in ca.cas] == ["http://127.0.0.1:1/ocsp", "http://127.0.0.1:2/ocsp"]
    assert shared.servers[0].maintenance == MaintenanceMode("until noon")
    assert shared.servers[1].maintenance is None
    assert [group.id.group_code for group in shared.groups] == ["registries", OWNERS_GROUP]
    assert shared.groups[1].members == (client("GOV/MOP"),)
    assert private.management.provider == client("GOV/MOP/IDPOOR")
    assert private.anchors[0].instance == "EE"
    assert len(referenced_files(full(config, tmp_path))) == 7


def test_without_a_management_table_the_first_member_stands_in(config: CentralConfig) -> None:
    management = content(config).private.management
    assert management.provider == client("GOV/MOP")
    assert management.address == "http://central.example:8080/managementservice/"
    with pytest.raises(ConfigError, match="at least one member"):
        content(replace(config, members=(), servers=(), groups=()))


def test_the_owners_group_of_the_file_goes_before_the_kept_one(config: CentralConfig) -> None:
    groups = content(replace(config, groups=(GroupEntry(OWNERS_GROUP, "own", ()),))).shared.groups
    assert [(group.description, group.members) for group in groups] == [("own", ())]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda config, folder: replace(config, cas=(CaEntry("x", folder / "none.pem"),)), "ca[1].certificate"),
        (lambda config, folder: replace(config, cas=(CaEntry("x", folder / "pin"),)), "ca[1].certificate"),
        (lambda config, folder: replace(config, tsas=(TsaEntry("x", folder, "http://x/"),)), "tsa[1].certificate"),
        (
            lambda config, folder: replace(
                config, servers=(replace(config.servers[0], auth_certificates=(folder / "ss1.pem", folder / "pin")),)
            ),
            "server[1].auth_certificates[2]",
        ),
        (lambda config, folder: replace(config, federation=(FederationEntry(folder / "pin"),)), "federation[1].anchor"),
        (
            lambda config, _: replace(
                config,
                servers=(
                    *config.servers,
                    replace(config.servers[0], id=SecurityServerId(INSTANCE, "GOV", "MOP", "SS2")),
                ),
            ),
            "server[2].auth_certificates[1]",
        ),
    ],
)
def test_a_file_that_is_not_what_its_key_says_is_told(
    config: CentralConfig, tmp_path: Path, change: Change, key: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        content(change(config, tmp_path))
    assert caught.value.key == key


def test_an_instance_does_not_federate_with_itself(config: CentralConfig, tmp_path: Path) -> None:
    (tmp_path / "own.xml").write_bytes(build_anchor(SigningSource.create().anchor))
    with pytest.raises(ConfigError, match="another instance"):
        content(replace(config, federation=(FederationEntry(tmp_path / "own.xml"),)))


@pytest.mark.parametrize("address", ["ss1.gov.test", "SS-1", "10.0.0.1", "::1", "2001:db8::5500", "::ffff:10.0.0.1"])
def test_hosts_are_names_and_addresses_of_both_kinds(tmp_path: Path, address: str) -> None:
    server = f'[[server]]\nid = "{INSTANCE}/GOV/MOP/SS1"\naddress = "{address}"'
    member = f'[[member_class]]\ncode = "GOV"\n[[member]]\nid = "{INSTANCE}/GOV/MOP"\nname = "x"'
    (tmp_path / "CENTRAL.toml").write_text(f'pin_env = "X"\ninstance = "{INSTANCE}"\n{member}\n{server}\n')
    assert load_config(tmp_path / "CENTRAL.toml").servers[0].address == address
