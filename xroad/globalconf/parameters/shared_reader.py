"""Shared parameters out of XML, versions 2 to 6 (PR-GCONF annex B).

The reader refuses what the schema of the version does not have, and refuses to judge certificates.
The stored configuration is read with it, and so is a part that has just been downloaded and matched its digest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from lxml import etree

from xroad.globalconf.errors import MalformedGlobalConf
from xroad.globalconf.parameters import versions
from xroad.globalconf.parameters.model import (
    AcmeServer,
    ApprovedCaInfo,
    CaInfo,
    ConfigurationSource,
    CostType,
    CsrFormat,
    GlobalGroup,
    MaintenanceMode,
    Member,
    MemberClass,
    OcspInfo,
    SecurityServer,
    SharedParameters,
    Subsystem,
    TsaInfo,
)
from xroad.globalconf.parameters.reading import (
    Fields,
    certificate_of,
    client_of,
    fields,
    identified,
    octets_of,
    parse_conf,
    text_of,
)
from xroad.identifiers import ClientId, GlobalGroupId, SecurityServerId

_Choice = TypeVar("_Choice", bound=StrEnum)

_ROOT = frozenset({
    "instanceIdentifier", "approvedCA", "approvedTSA", "member", "securityServer", "globalGroup", "centralService",
    "globalSettings",
})  # fmt: skip
_CA = frozenset({"name", "authenticationOnly", "topCA", "intermediateCA", "certificateProfileInfo"})
_CA_INFO = frozenset({"cert", "ocsp"})
_ACME = frozenset({"directoryURL", "ipAddress"})
_ACME_PROFILES = frozenset({"authenticationCertificateProfileId", "signingCertificateProfileId"})
_SOURCE = frozenset({"address", "internalVerificationCert", "externalVerificationCert"})
_OCSP = frozenset({"url", "cert"})
_TSA = frozenset({"name", "url", "cert"})
_COST = frozenset({"costType"})
_MEMBER = frozenset({"memberClass", "memberCode", "name", "subsystem"})
_MEMBER_CLASS = frozenset({"code", "description"})
_SERVER = frozenset({"owner", "serverCode", "address", "authCertHash", "client"})
_GROUP = frozenset({"groupCode", "description", "groupMember"})
_SETTINGS = frozenset({"memberClass", "ocspFreshnessSeconds"})


def parse_shared(data: bytes, version: int) -> SharedParameters:
    """Read a shared parameters file of the given version.

    Raises:
        UnsupportedVersion: the version is not one of 2 to 6.
        MalformedGlobalConf: the file does not follow the schema of that version.
    """
    return _Reader(versions.check_readable(version)).read(parse_conf(data, "conf"))


@dataclass(frozen=True, slots=True)
class _Reader:
    version: int

    def allowed(self, base: frozenset[str], extra: frozenset[str], since: int) -> frozenset[str]:
        return base | extra if self.version >= since else base

    def read(self, root: etree._Element) -> SharedParameters:
        allowed = self.allowed(_ROOT, frozenset({"source"}), versions.WITH_SOURCES)
        conf = fields(root, allowed, extensible=self.version >= versions.WITH_SOURCES)
        instance = conf.text("instanceIdentifier")
        settings = fields(conf.one("globalSettings"), _SETTINGS)
        members, clients = self.members(conf, instance)
        return SharedParameters(
            instance=instance,
            ocsp_freshness_seconds=settings.number("ocspFreshnessSeconds"),
            sources=tuple(_source(each) for each in conf.many("source")),
            approved_cas=tuple(self.approved_ca(each) for each in conf.many("approvedCA")),
            approved_tsas=tuple(self.tsa(each) for each in conf.many("approvedTSA")),
            members=members,
            servers=tuple(self.server(each, instance, clients) for each in conf.many("securityServer")),
            groups=tuple(_group(each, instance) for each in conf.many("globalGroup")),
            member_classes=tuple(_member_class(each) for each in settings.many("memberClass")),
        )

    def approved_ca(self, element: etree._Element) -> ApprovedCaInfo:
        with_acme = self.allowed(_CA, frozenset({"acmeServer"}), versions.WITH_ACME)
        ca = fields(element, self.allowed(with_acme, frozenset({"defaultCsrFormat"}), versions.WITH_CSR_FORMAT))
        acme = ca.maybe("acmeServer")
        return ApprovedCaInfo(
            name=ca.text("name"),
            top=self.ca_info(ca.one("topCA")),
            profile=ca.text("certificateProfileInfo").strip(),
            intermediates=tuple(self.ca_info(each) for each in ca.many("intermediateCA")),
            authentication_only=ca.flag("authenticationOnly"),
            default_csr_format=_choice(ca, "defaultCsrFormat", CsrFormat),
            acme=None if acme is None else self.acme(acme),
        )

    def acme(self, element: etree._Element) -> AcmeServer:
        acme = fields(element, self.allowed(_ACME, _ACME_PROFILES, versions.WITH_ACME_PROFILES))
        return AcmeServer(
            directory_url=acme.text("directoryURL"),
            ip_address=acme.text_or_none("ipAddress"),
            authentication_profile_id=acme.text_or_none("authenticationCertificateProfileId"),
            signing_profile_id=acme.text_or_none("signingCertificateProfileId"),
        )

    def ca_info(self, element: etree._Element) -> CaInfo:
        ca = fields(element, _CA_INFO)
        return CaInfo(certificate_of(ca.one("cert")), tuple(self.ocsp(each) for each in ca.many("ocsp")))

    def ocsp(self, element: etree._Element) -> OcspInfo:
        ocsp = fields(element, self.allowed(_OCSP, _COST, versions.WITH_COSTS))
        certificate = ocsp.maybe("cert")
        return OcspInfo(
            url=ocsp.text("url").strip(),
            certificate=None if certificate is None else certificate_of(certificate),
            cost=_choice(ocsp, "costType", CostType),
        )

    def tsa(self, element: etree._Element) -> TsaInfo:
        tsa = fields(element, self.allowed(_TSA, _COST, versions.WITH_COSTS))
        certificate = certificate_of(tsa.one("cert"))
        return TsaInfo(tsa.text("name"), tsa.text("url").strip(), certificate, _choice(tsa, "costType", CostType))

    def members(self, conf: Fields, instance: str) -> tuple[tuple[Member, ...], Mapping[str, ClientId]]:
        """Read the members; also give whom each XML id stands for, as servers name their clients by it."""
        ids: dict[str, ClientId] = {}
        return tuple(self.member(each, instance, ids) for each in conf.many("member")), ids

    def member(self, element: etree._Element, instance: str, ids: dict[str, ClientId]) -> Member:
        member = fields(element, _MEMBER)
        member_class = _member_class(member.one("memberClass"))
        code = member.text("memberCode")
        client = identified(lambda: ClientId(instance, member_class.code, code))
        _remember(element, client, ids)
        subsystems = tuple(self.subsystem(each, client, ids) for each in member.many("subsystem"))
        return Member(client, member.text("name"), member_class.description, subsystems)

    def subsystem(self, element: etree._Element, member: ClientId, ids: dict[str, ClientId]) -> Subsystem:
        allowed = self.allowed(
            frozenset({"subsystemCode"}), frozenset({"subsystemName"}), versions.WITH_SUBSYSTEM_NAMES
        )
        subsystem = fields(element, allowed)
        code = subsystem.text("subsystemCode")
        client = identified(lambda: ClientId(member.instance, member.member_class, member.member_code, code))
        _remember(element, client, ids)
        return Subsystem(client, subsystem.text_or_none("subsystemName"))

    def server(self, element: etree._Element, instance: str, clients: Mapping[str, ClientId]) -> SecurityServer:
        allowed = self.allowed(_SERVER, frozenset({"inMaintenanceMode"}), versions.WITH_MAINTENANCE)
        server = fields(element, allowed)
        owner = _referred(server.one("owner"), clients)
        code = server.text("serverCode")
        return SecurityServer(
            server_id=identified(lambda: SecurityServerId(instance, owner.member_class, owner.member_code, code)),
            address=server.text_or_none("address"),
            auth_cert_hashes=tuple(octets_of(each) for each in server.many("authCertHash")),
            clients=tuple(_referred(each, clients) for each in server.many("client")),
            maintenance=_maintenance(server.maybe("inMaintenanceMode")),
        )


def _remember(element: etree._Element, client: ClientId, ids: dict[str, ClientId]) -> None:
    """Two meanings of one id would let a file register a server for whom the reader did not see."""
    xml_id = element.get("id")
    if xml_id is None:
        return
    if xml_id in ids:
        raise MalformedGlobalConf("Two members or subsystems of the shared parameters have the same XML id.")
    ids[xml_id] = client


def _referred(element: etree._Element, clients: Mapping[str, ClientId]) -> ClientId:
    client = clients.get(text_of(element).strip())
    if client is None:
        raise MalformedGlobalConf("A security server refers to a member or subsystem that the file does not describe.")
    return client


def _maintenance(element: etree._Element | None) -> MaintenanceMode | None:
    if element is None:
        return None
    return MaintenanceMode(fields(element, frozenset({"message"})).text_or_none("message"))


def _source(element: etree._Element) -> ConfigurationSource:
    source = fields(element, _SOURCE)
    return ConfigurationSource(
        address=source.text("address"),
        internal_certificates=tuple(certificate_of(each) for each in source.many("internalVerificationCert")),
        external_certificates=tuple(certificate_of(each) for each in source.many("externalVerificationCert")),
    )


def _member_class(element: etree._Element) -> MemberClass:
    member_class = fields(element, _MEMBER_CLASS)
    return MemberClass(member_class.text("code"), member_class.text("description"))


def _group(element: etree._Element, instance: str) -> GlobalGroup:
    group = fields(element, _GROUP)
    code = group.text("groupCode")
    return GlobalGroup(
        id=identified(lambda: GlobalGroupId(instance, code)),
        description=group.text("description"),
        members=tuple(client_of(each) for each in group.many("groupMember")),
    )


def _choice(parts: Fields, name: str, choices: type[_Choice]) -> _Choice | None:
    value = parts.text_or_none(name)
    if value is None:
        return None
    try:
        return choices(value)
    except ValueError as error:
        raise MalformedGlobalConf(f"'{name}' of '{parts.owner}' is not one of {', '.join(choices)}.") from error
