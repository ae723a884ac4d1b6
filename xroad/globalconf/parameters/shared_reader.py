"""Shared parameters out of XML, versions 2 to 6 (PR-GCONF annex B).

The reader refuses what the schema of the version does not have, and refuses to judge certificates.
The stored configuration is read with it, and so is a part that has just been downloaded and matched its digest.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TypeVar

from lxml import etree

from xroad.errors import InvalidClientIdentifier
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
    octets_of,
    parse_conf,
    text_of,
)
from xroad.identifiers import ClientId, GlobalGroupId, SecurityServerId

_Choice = TypeVar("_Choice", bound=StrEnum)
_Id = TypeVar("_Id", ClientId, SecurityServerId, GlobalGroupId)

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
    ids: dict[str, ClientId | None] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def allowed(self, base: frozenset[str], extra: frozenset[str], since: int) -> frozenset[str]:
        return base | extra if self.version >= since else base

    def read(self, root: etree._Element) -> SharedParameters:
        allowed = self.allowed(_ROOT, frozenset({"source"}), versions.WITH_SOURCES)
        conf = fields(root, allowed, extensible=self.version >= versions.WITH_SOURCES)
        instance = conf.text("instanceIdentifier")
        settings = fields(conf.one("globalSettings"), _SETTINGS)
        # In this order: servers name their clients by the XML ids that the members define.
        members = tuple(filter(None, (self.member(each, instance) for each in conf.many("member"))))
        servers = tuple(filter(None, (self.server(each, instance) for each in conf.many("securityServer"))))
        groups = tuple(filter(None, (self.group(each, instance) for each in conf.many("globalGroup"))))
        return SharedParameters(
            instance=instance,
            ocsp_freshness_seconds=settings.number("ocspFreshnessSeconds"),
            sources=tuple(_source(each) for each in conf.many("source")),
            approved_cas=tuple(self.approved_ca(each) for each in conf.many("approvedCA")),
            approved_tsas=tuple(self.tsa(each) for each in conf.many("approvedTSA")),
            members=members,
            servers=servers,
            groups=groups,
            member_classes=tuple(_member_class(each) for each in settings.many("memberClass")),
            left_out=tuple(self.left_out),
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

    def member(self, element: etree._Element, instance: str) -> Member | None:
        member = fields(element, _MEMBER)
        member_class = _member_class(member.one("memberClass"))
        name, code = member.text("name"), member.text("memberCode")
        client = self.identified(partial(ClientId, instance, member_class.code, code), f"the member '{name}'")
        self.remember(element, client)
        subsystems = tuple(filter(None, (self.subsystem(each, client) for each in member.many("subsystem"))))
        return None if client is None else Member(client, name, member_class.description, subsystems)

    def subsystem(self, element: etree._Element, member: ClientId | None) -> Subsystem | None:
        allowed = self.allowed(
            frozenset({"subsystemCode"}), frozenset({"subsystemName"}), versions.WITH_SUBSYSTEM_NAMES
        )
        parts = fields(element, allowed)
        client = None if member is None else self.subsystem_id(member, parts.text("subsystemCode"))
        self.remember(element, client)
        return None if client is None else Subsystem(client, parts.text_or_none("subsystemName"))

    def subsystem_id(self, member: ClientId, code: str) -> ClientId | None:
        make = partial(ClientId, member.instance, member.member_class, member.member_code, code)
        return self.identified(make, f"a subsystem of {member}")

    def server(self, element: etree._Element, instance: str) -> SecurityServer | None:
        allowed = self.allowed(_SERVER, frozenset({"inMaintenanceMode"}), versions.WITH_MAINTENANCE)
        server = fields(element, allowed)
        owner, code = self.referred(server.one("owner")), server.text("serverCode")
        clients = tuple(filter(None, (self.referred(each) for each in server.many("client"))))
        if owner is None:
            return None  # its owner was left out, and told of
        make = partial(SecurityServerId, instance, owner.member_class, owner.member_code, code)
        server_id = self.identified(make, f"a security server of {owner}")
        if server_id is None:
            return None
        return SecurityServer(
            server_id=server_id,
            address=server.text_or_none("address"),
            auth_cert_hashes=tuple(octets_of(each) for each in server.many("authCertHash")),
            clients=clients,
            maintenance=_maintenance(server.maybe("inMaintenanceMode")),
        )

    def group(self, element: etree._Element, instance: str) -> GlobalGroup | None:
        group = fields(element, _GROUP)
        code = group.text("groupCode")
        what = f"a member of the global group '{code}'"
        clients = (self.identified(partial(client_of, each), what) for each in group.many("groupMember"))
        members = tuple(filter(None, clients))
        group_id = self.identified(partial(GlobalGroupId, instance, code), f"the global group '{code}'")
        return None if group_id is None else GlobalGroup(group_id, group.text("description"), members)

    def identified(self, make: Callable[[], _Id], what: str) -> _Id | None:
        """Make an identifier, or leave out whom it names: one odd name must not end everybody's configuration."""
        try:
            return make()
        except InvalidClientIdentifier as error:
            self.left_out.append(f"{what}: {error.detail}")
            return None

    def remember(self, element: etree._Element, client: ClientId | None) -> None:
        """Two meanings of one id would let a file register a server for whom the reader did not see."""
        xml_id = element.get("id")
        if xml_id is None:
            return
        if xml_id in self.ids:
            raise MalformedGlobalConf("Two members or subsystems of the shared parameters have the same XML id.")
        self.ids[xml_id] = client

    def referred(self, element: etree._Element) -> ClientId | None:
        xml_id = text_of(element).strip()
        if xml_id not in self.ids:
            raise MalformedGlobalConf(
                "A security server refers to a member or subsystem that the file does not describe."
            )
        return self.ids[xml_id]


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


def _choice(parts: Fields, name: str, choices: type[_Choice]) -> _Choice | None:
    value = parts.text_or_none(name)
    if value is None:
        return None
    try:
        return choices(value)
    except ValueError as error:
        raise MalformedGlobalConf(f"'{name}' of '{parts.owner}' is not one of {', '.join(choices)}.") from error
