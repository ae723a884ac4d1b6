"""Shared parameters into XML, versions 3 to 6 (PR-GCONF annex B).

The writer leaves out what a version cannot carry and refuses to write what no schema allows.
The central server publishes what it writes.
"""

from collections.abc import Mapping

from lxml import etree

from xroad.globalconf.parameters.model import (
    AcmeServer,
    ApprovedCaInfo,
    CaInfo,
    ConfigurationSource,
    GlobalGroup,
    Member,
    MemberClass,
    SecurityServer,
    SharedParameters,
    TsaInfo,
)
from xroad.globalconf.parameters.versions import project
from xroad.globalconf.parameters.writing import add, add_client, add_octets, add_text, new_root, serialize
from xroad.identifiers import ClientId


def build_shared(shared: SharedParameters, version: int) -> bytes:
    """Write a shared parameters file of the version.

    Raises:
        ValueError: the version is not written any more, there is no configuration source, or a server names a client
            that is not among the members.
    """
    carried = project(shared, version)
    if not carried.sources:
        raise ValueError("shared parameters need at least one configuration source")
    ids = _xml_ids(carried.members)
    root = new_root("conf")
    add_text(root, "instanceIdentifier", carried.instance)
    for source in carried.sources:
        _add_source(root, source)
    for ca in carried.approved_cas:
        _add_approved_ca(root, ca)
    for tsa in carried.approved_tsas:
        _add_tsa(root, tsa)
    for member in carried.members:
        _add_member(root, member, ids)
    for server in carried.servers:
        _add_server(root, server, ids)
    for group in carried.groups:
        _add_group(root, group)
    _add_settings(root, carried)
    return serialize(root)


def _xml_ids(members: tuple[Member, ...]) -> Mapping[ClientId, str]:
    clients = [client for member in members for client in (member.id, *(each.id for each in member.subsystems))]
    return {client: f"id{number}" for number, client in enumerate(clients)}


def _add_source(root: etree._Element, source: ConfigurationSource) -> None:
    element = add(root, "source")
    add_text(element, "address", source.address)
    for certificate in source.internal_certificates:
        add_octets(element, "internalVerificationCert", certificate)
    for certificate in source.external_certificates:
        add_octets(element, "externalVerificationCert", certificate)


def _add_approved_ca(root: etree._Element, ca: ApprovedCaInfo) -> None:
    element = add(root, "approvedCA")
    add_text(element, "name", ca.name)
    add_text(element, "authenticationOnly", "true" if ca.authentication_only else "false")
    _add_ca_info(element, "topCA", ca.top)
    for intermediate in ca.intermediates:
        _add_ca_info(element, "intermediateCA", intermediate)
    add_text(element, "certificateProfileInfo", ca.profile)
    add_text(element, "defaultCsrFormat", ca.default_csr_format)
    if ca.acme is not None:
        _add_acme(element, ca.acme)


def _add_acme(parent: etree._Element, acme: AcmeServer) -> None:
    element = add(parent, "acmeServer")
    add_text(element, "directoryURL", acme.directory_url)
    add_text(element, "ipAddress", acme.ip_address)
    add_text(element, "authenticationCertificateProfileId", acme.authentication_profile_id)
    add_text(element, "signingCertificateProfileId", acme.signing_profile_id)


def _add_ca_info(parent: etree._Element, name: str, ca: CaInfo) -> None:
    element = add(parent, name)
    add_octets(element, "cert", ca.certificate)
    for responder in ca.ocsp:
        ocsp = add(element, "ocsp")
        add_text(ocsp, "url", responder.url)
        add_octets(ocsp, "cert", responder.certificate)
        add_text(ocsp, "costType", responder.cost)


def _add_tsa(root: etree._Element, tsa: TsaInfo) -> None:
    element = add(root, "approvedTSA")
    add_text(element, "name", tsa.name)
    add_text(element, "url", tsa.url)
    add_octets(element, "cert", tsa.certificate)
    add_text(element, "costType", tsa.cost)


def _add_member(root: etree._Element, member: Member, ids: Mapping[ClientId, str]) -> None:
    element = add(root, "member")
    element.set("id", ids[member.id])
    _add_member_class(element, MemberClass(member.id.member_class, member.class_description))
    add_text(element, "memberCode", member.id.member_code)
    add_text(element, "name", member.name)
    for subsystem in member.subsystems:
        child = add(element, "subsystem")
        child.set("id", ids[subsystem.id])
        add_text(child, "subsystemCode", subsystem.id.subsystem_code)
        add_text(child, "subsystemName", subsystem.name)


def _add_member_class(parent: etree._Element, member_class: MemberClass) -> None:
    element = add(parent, "memberClass")
    add_text(element, "code", member_class.code)
    add_text(element, "description", member_class.description)


def _add_server(root: etree._Element, server: SecurityServer, ids: Mapping[ClientId, str]) -> None:
    element = add(root, "securityServer")
    add_text(element, "owner", _id_of(server.owner, ids))
    add_text(element, "serverCode", server.server_id.server_code)
    add_text(element, "address", server.address)
    for digest in server.auth_cert_hashes:
        add_octets(element, "authCertHash", digest)
    for client in server.clients:
        add_text(element, "client", _id_of(client, ids))
    if server.maintenance is not None:
        add_text(add(element, "inMaintenanceMode"), "message", server.maintenance.message)


def _id_of(client: ClientId, ids: Mapping[ClientId, str]) -> str:
    if client not in ids:
        raise ValueError(f"{client} is named by a security server and is not among the members")
    return ids[client]


def _add_group(root: etree._Element, group: GlobalGroup) -> None:
    element = add(root, "globalGroup")
    add_text(element, "groupCode", group.id.group_code)
    add_text(element, "description", group.description)
    for client in group.members:
        add_client(element, "groupMember", client)


def _add_settings(root: etree._Element, shared: SharedParameters) -> None:
    element = add(root, "globalSettings")
    for member_class in shared.member_classes:
        _add_member_class(element, member_class)
    add_text(element, "ocspFreshnessSeconds", str(shared.ocsp_freshness_seconds))
