import hashlib
from dataclasses import FrozenInstanceError, replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.support.globalconf import (
    INSTANCE,
    client,
    der,
    private_parameters,
    server,
    shared_parameters,
    stored_files,
    trust_snapshot,
)
from tests.support.pki import AT, Pki, authority, leaf
from xroad.errors import IncorrectCertificate
from xroad.globalconf.errors import MalformedGlobalConf, OutdatedGlobalConf
from xroad.globalconf.parameters.model import ApprovedCaInfo, CaInfo, MaintenanceMode, OcspInfo
from xroad.globalconf.profiles import BASIC_PROFILE, EJBCA_PROFILE
from xroad.globalconf.stored import load_directory
from xroad.identifiers import ClientId, GlobalGroupId, SecurityServerId

IDPOOR, MOP = client("GOV/MOP/IDPOOR"), client("GOV/MOP")
SS1 = SecurityServerId(INSTANCE, "GOV", "MOP", "SS1")
SS2 = SecurityServerId(INSTANCE, "GOV", "MOP", "SS2")


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create(intermediate=True)


def test_several_servers_of_one_subsystem(pki: Pki) -> None:
    trust = trust_snapshot(
        pki,
        servers=[
            server("GOV/MOP/SS1", clients=["GOV/MOP/IDPOOR"], address="a.example"),
            server("GOV/MOP/SS2", clients=["GOV/MOP/IDPOOR", "GOV/NSSF/MEMBERS"], address="b.example"),
        ],
    )
    assert [each.address for each in trust.servers_of(IDPOOR)] == ["a.example", "b.example"]
    assert [each.server_id for each in trust.servers_of(client("GOV/NSSF/MEMBERS"))] == [SS2]
    assert trust.servers_of(client("GOV/NSAF")) == ()
    assert [each.server_id for each in trust.servers()] == [SS1, SS2]


def test_an_owner_is_a_client_of_its_servers_and_its_subsystems_are_not(pki: Pki) -> None:
    trust = trust_snapshot(pki, servers=[server("GOV/MOP/SS1")])
    assert trust.server_has_client(SS1, MOP)
    assert not trust.server_has_client(SS1, IDPOOR)
    assert not trust.server_has_client(SS2, MOP)
    assert trust.subsystems_of(MOP) == (IDPOOR,)


def test_registered_means_described(pki: Pki) -> None:
    trust = trust_snapshot(pki)
    assert trust.is_registered(IDPOOR)
    assert trust.is_registered(MOP)
    assert not trust.is_registered(client("GOV/MOP/OTHER"))
    assert not trust.is_registered(ClientId("EE", "GOV", "MOP"))
    assert trust.member_name(IDPOOR) == trust.member_name(MOP) == "Member GOV/MOP"
    assert trust.member_name(client("GOV/NOBODY")) is None
    assert trust.member_name(ClientId("EE", "GOV", "MOP")) is None
    assert trust.subsystem_name(IDPOOR) == "IDPOOR (test)"


def test_an_authentication_certificate_tells_its_server(pki: Pki) -> None:
    auth, other = pki.issue_auth("a.example").certificate, pki.issue_auth("b.example").certificate
    trust = trust_snapshot(pki, servers=[server("GOV/MOP/SS1", auth=[auth], clients=["GOV/MOP/IDPOOR"])])
    assert trust.server_of_auth_certificate(der(auth)) == SS1
    assert trust.server_of_auth_certificate(der(other)) is None
    assert trust.auth_certificate_matches(der(auth), IDPOOR)
    assert not trust.auth_certificate_matches(der(auth), client("GOV/NSSF/MEMBERS"))
    assert not trust.auth_certificate_matches(der(other), IDPOOR)


def test_a_sha1_hash_counts_in_version_2_only(pki: Pki) -> None:
    auth = der(pki.issue_auth().certificate)
    digest = hashlib.sha1(auth, usedforsecurity=False).digest()
    shared = shared_parameters(pki, servers=[server("GOV/MOP/SS1")])
    shared = replace(shared, servers=(replace(shared.servers[0], auth_cert_hashes=(digest,)),))
    files = stored_files(shared)
    assert load_directory(files, AT).server_of_auth_certificate(auth) is None
    name = f"{INSTANCE}/shared-params.xml"
    start, end = files[name].index(b"<source>"), files[name].index(b"</source>") + len(b"</source>")
    old = files[name][:start] + files[name][end:]
    old = b"".join(line for line in old.splitlines() if b"subsystemName" not in line)
    files |= {name: old, f"{name}.metadata": b'{"expirationDate": "2026-03-14T10:00:00Z"}'}
    assert load_directory(files, AT).server_of_auth_certificate(auth) == SS1


def test_groups_hold_exactly_whom_they_name(pki: Pki) -> None:
    trust = trust_snapshot(pki, groups={"registries": ["GOV/MOP"], "readers": ["GOV/NSAF/FAMILY-PACKAGE"]})
    assert trust.in_global_group(MOP, GlobalGroupId(INSTANCE, "registries"))
    assert not trust.in_global_group(IDPOOR, GlobalGroupId(INSTANCE, "registries"))
    assert not trust.in_global_group(MOP, GlobalGroupId(INSTANCE, "readers"))
    assert not trust.in_global_group(MOP, GlobalGroupId("EE", "registries"))
    assert not trust.in_global_group(MOP, GlobalGroupId(INSTANCE, "none"))
    assert [group.id.group_code for group in trust.global_groups()] == ["registries", "readers"]


def test_maintenance_mode(pki: Pki) -> None:
    trust = trust_snapshot(
        pki, servers=[server("GOV/MOP/SS1", maintenance=MaintenanceMode("until noon")), server("GOV/MOP/SS2")]
    )
    assert trust.maintenance_mode(SS1) == MaintenanceMode("until noon")
    assert trust.maintenance_mode(SS2) is None
    assert trust.maintenance_mode(SecurityServerId("EE", "GOV", "MOP", "SS1")) is None


def test_authorities_and_their_responders(pki: Pki) -> None:
    trust = trust_snapshot(pki)
    root, intermediate = pki.ca_certificates
    assert trust.ca_certificates() == trust.signing_ca_certificates() == (root, intermediate)
    assert trust.top_ca_certificates(INSTANCE) == (root,)
    assert trust.ca_certificates("EE") == ()
    assert trust.cas_by_subject(intermediate.subject) == (intermediate,)
    assert trust.ocsp_responder_certificates(intermediate) == {pki.ocsp_responder.certificate}
    assert trust.ocsp_responders(pki.tsa.certificate) == ()
    assert trust.tsa_certificates == {pki.tsa.certificate}


def test_an_authority_for_authentication_does_not_vouch_for_signatures(pki: Pki) -> None:
    trust = trust_snapshot(pki, authentication_only=True)
    assert trust.ca_certificates() == pki.ca_certificates
    assert trust.signing_ca_certificates() == ()


def test_a_signing_certificate_tells_its_member(pki: Pki) -> None:
    trust = trust_snapshot(pki)
    assert trust.subject_to_member(pki.issue_signing(member_code="MOP").certificate, INSTANCE) == MOP


def test_only_the_own_instances_authorities_name_its_members(pki: Pki) -> None:
    """A federated instance's authority must not be able to issue certificates for this instance's members."""
    partner = Pki.create(label="Partner")
    trust = trust_snapshot(pki, federated=[shared_parameters(partner, instance="EE")])
    foreign = partner.issue_signing(INSTANCE, "GOV", "MOP").certificate
    with pytest.raises(IncorrectCertificate, match="approved"):
        trust.subject_to_member(foreign, INSTANCE)
    own = partner.issue_signing("EE", "GOV", "MOP").certificate
    assert trust.subject_to_member(own, "EE") == ClientId("EE", "GOV", "MOP")


def test_of_two_authorities_of_one_name_the_key_decides_the_profile(pki: Pki) -> None:
    subject = x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "KH"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "GOV"),
        x509.NameAttribute(NameOID.COMMON_NAME, "MOP"),
    ])  # fmt: skip
    twin = authority("Test Issuing CA", "ec-p384", AT)
    approval = ApprovedCaInfo("Twin", CaInfo(der(twin.certificate)), EJBCA_PROFILE)
    trust = trust_snapshot(pki, more_cas=[approval])
    assert len(trust.cas_by_subject(twin.certificate.subject)) == 2
    by_twin = leaf(twin, subject, "ec-p256", AT, "sign").certificate
    assert trust.subject_to_member(by_twin, INSTANCE) == ClientId("KH", "GOV", "MOP")
    assert trust.subject_to_member(pki.issue_signing().certificate, INSTANCE) == MOP


def test_an_unknown_profile_is_refused_only_when_it_is_needed(pki: Pki) -> None:
    trust = trust_snapshot(pki, profile="org.example.OwnProfile")
    assert trust.profile_for(pki.issuer.certificate) == "org.example.OwnProfile"
    with pytest.raises(IncorrectCertificate, match="profile"):
        trust.subject_to_member(pki.issue_signing().certificate, INSTANCE)


def test_an_expired_snapshot_is_refused_with_a_sentence(pki: Pki) -> None:
    trust = trust_snapshot(pki, expires_at=AT + timedelta(minutes=10))
    assert trust.current(AT + timedelta(minutes=10)) is trust
    with pytest.raises(OutdatedGlobalConf, match="valid until 2026-03-14 09:36:53 UTC") as caught:
        trust.current(AT + timedelta(minutes=11))
    assert "clock" in caught.value.detail


def test_a_partner_that_expired_is_left_out_and_the_own_instance_goes_on(pki: Pki) -> None:
    partner = shared_parameters(Pki.create(label="Partner"), instance="EE")
    files = stored_files(shared_parameters(pki), federated=[partner], federated_expires_at=AT + timedelta(minutes=5))
    trust = load_directory(files, AT)
    assert trust.instances == (INSTANCE, "EE")
    later = trust.current(AT + timedelta(minutes=6))
    assert later.instances == (INSTANCE,)
    assert later.digest != trust.digest
    reloaded = load_directory(files, AT + timedelta(minutes=6))
    assert reloaded.digest == later.digest
    assert "EE" in reloaded.rejected


def test_a_partner_that_cannot_be_read_is_left_out(pki: Pki) -> None:
    partner = shared_parameters(Pki.create(label="Partner"), instance="EE")
    files = stored_files(shared_parameters(pki), federated=[partner])
    files["EE/shared-params.xml"] = b"<conf/>"
    trust = load_directory(files, AT)
    assert trust.instances == (INSTANCE,)
    assert "root element" in trust.rejected["EE"]


def test_the_digest_names_contents_and_not_expiry(pki: Pki) -> None:
    shared = shared_parameters(pki)
    first = load_directory(stored_files(shared), AT)
    later = load_directory(stored_files(shared, expires_at=AT + timedelta(hours=1)), AT, previous=first)
    assert later == first
    assert hash(later) == hash(first)
    assert later.expires_at > first.expires_at
    assert later.known[INSTANCE].index is first.known[INSTANCE].index
    changed = load_directory(stored_files(replace(shared, ocsp_freshness_seconds=1)), AT, previous=first)
    assert changed != first
    assert changed.ocsp_freshness_seconds == 1
    private = replace(private_parameters(), time_stamping_interval_seconds=1)
    assert load_directory(stored_files(shared, private), AT).digest != first.digest


def test_a_snapshot_cannot_be_changed(pki: Pki) -> None:
    trust = trust_snapshot(pki)
    with pytest.raises(FrozenInstanceError):
        trust.instance = "EE"  # type: ignore[misc]
    with pytest.raises(TypeError):
        trust.known[INSTANCE].index.names[MOP] = "x"  # type: ignore[index]


def test_without_private_parameters_their_questions_are_refused(pki: Pki) -> None:
    files = stored_files(shared_parameters(pki))
    del files[f"{INSTANCE}/private-params.xml"]
    trust = load_directory(files, AT, require_private=False)
    with pytest.raises(MalformedGlobalConf):
        _ = trust.time_stamping_interval_seconds


def test_an_approved_certificate_that_cannot_be_read_is_refused(pki: Pki) -> None:
    approval = ApprovedCaInfo("Broken", CaInfo(b"bar", (OcspInfo("http://x/"),)), BASIC_PROFILE)
    with pytest.raises(MalformedGlobalConf, match="central server"):
        trust_snapshot(pki, more_cas=[approval])


def test_two_thousand_members_are_ready_in_a_moment(pki: Pki) -> None:
    members = {f"GOV/M{number}": ("A", "B") for number in range(2000)}
    servers = [server(f"GOV/M{number}/SS", clients=[f"GOV/M{number}/A", f"GOV/M{number}/B"]) for number in range(2000)]
    trust = trust_snapshot(pki, members=members, servers=servers)
    assert len(trust.clients()) == 3 * 2000
    assert len(trust.servers_of(client("GOV/M1999/B"))) == 1
