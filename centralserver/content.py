"""From CENTRAL.toml to shared and private parameters: reads the certificate files and puts the records together.

It refuses to sign or publish, and to guess: a file that is not a certificate is an error that names its key.
The publisher calls it whenever the configuration changed.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from centralserver.config import CaEntry, CentralConfig, MemberEntry, OcspEntry, ServerEntry
from serverkit.config import ConfigError
from xroad.errors import MalformedAnchor
from xroad.globalconf.anchor import parse_anchor
from xroad.globalconf.parameters.model import (
    AcmeServer,
    Anchor,
    ApprovedCaInfo,
    CaInfo,
    ConfigurationSource,
    GlobalGroup,
    MaintenanceMode,
    ManagementService,
    Member,
    MemberClass,
    OcspInfo,
    PrivateParameters,
    SecurityServer,
    SharedParameters,
    Subsystem,
    TsaInfo,
)
from xroad.identifiers import ClientId, GlobalGroupId

# X-Road's central server keeps this group by itself.
OWNERS_GROUP = "security-server-owners"
_MAX_FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be published."""

    shared: SharedParameters
    private: PrivateParameters


@dataclass(frozen=True, slots=True)
class SigningCertificates:
    """The certificates (DER) of the two signing keys."""

    internal: bytes
    external: bytes


def build_content(
    config: CentralConfig, source: str, signing: SigningCertificates, public_urls: Sequence[str]
) -> Content:
    """Read the files that a configuration names, and build the parameters.

    Args:
        config: a checked configuration.
        source: its file's name, for errors.
        signing: the certificates that sign the directories.
        public_urls: how security servers reach the downloads.

    Raises:
        ConfigError: a file cannot be read or is not what its key says.
    """
    return _Builder(config, source, signing, public_urls).build()


def referenced_files(config: CentralConfig) -> tuple[Path, ...]:
    """All files that the parameters are built from, besides CENTRAL.toml itself."""
    cas = [path for ca in config.cas for path in (ca.certificate, *(each.certificate for each in ca.intermediates))]
    responders = [*(each for ca in config.cas for each in ca.ocsp)]
    responders += [each for ca in config.cas for middle in ca.intermediates for each in middle.ocsp]
    management = None if config.management is None else config.management.certificate
    return (
        *cas,
        *(each.certificate for each in responders if each.certificate is not None),
        *(each.certificate for each in config.tsas),
        *(path for server in config.servers for path in server.auth_certificates),
        *(each.anchor for each in config.federation),
        *(() if management is None else (management,)),
    )


@dataclass(frozen=True, slots=True)
class _Builder:
    config: CentralConfig
    source: str
    signing: SigningCertificates
    public_urls: Sequence[str]

    def build(self) -> Content:
        return Content(self.shared(), self.private())

    def shared(self) -> SharedParameters:
        config = self.config
        host = config.address or urlsplit(self.public_urls[0]).hostname or ""
        descriptions = {each.code: each.description for each in config.member_classes}
        return SharedParameters(
            instance=config.instance,
            ocsp_freshness_seconds=config.ocsp_freshness_seconds,
            sources=(ConfigurationSource(host, (self.signing.internal,), (self.signing.external,)),),
            approved_cas=tuple(self.ca(ca, f"ca[{number}]") for number, ca in enumerate(config.cas, 1)),
            approved_tsas=tuple(
                TsaInfo(tsa.name, tsa.url, self.certificate(tsa.certificate, f"tsa[{number}].certificate"), tsa.cost)
                for number, tsa in enumerate(config.tsas, 1)
            ),
            members=tuple(_member(each, descriptions[each.id.member_class]) for each in config.members),
            servers=self.servers(),
            groups=self.groups(),
            member_classes=tuple(MemberClass(each.code, each.description) for each in config.member_classes),
        )

    def private(self) -> PrivateParameters:
        anchors = enumerate(self.config.federation, 1)
        return PrivateParameters(
            instance=self.config.instance,
            management=self.management(),
            time_stamping_interval_seconds=self.config.time_stamping_interval_seconds,
            anchors=tuple(self.anchor(each.anchor, f"federation[{number}].anchor") for number, each in anchors),
        )

    def management(self) -> ManagementService:
        entry = self.config.management
        default = f"{self.public_urls[0]}/managementservice/"
        if entry is None:
            return ManagementService(default, self.first_member())
        certificate = None
        if entry.certificate is not None:
            certificate = self.certificate(entry.certificate, "management.certificate")
        return ManagementService(entry.address or default, entry.provider, certificate)

    def first_member(self) -> ClientId:
        if not self.config.members:
            raise ConfigError(self.source, "member", None, "must name at least one member, or [management] a provider")
        return self.config.members[0].id

    def ca(self, ca: CaEntry, key: str) -> ApprovedCaInfo:
        return ApprovedCaInfo(
            name=ca.name,
            top=self.ca_info(ca.certificate, ca.ocsp, key),
            profile=ca.profile,
            intermediates=tuple(
                self.ca_info(each.certificate, each.ocsp, f"{key}.intermediate[{number}]")
                for number, each in enumerate(ca.intermediates, 1)
            ),
            authentication_only=ca.authentication_only,
            default_csr_format=ca.csr_format,
            acme=None
            if ca.acme is None
            else AcmeServer(
                ca.acme.directory_url,
                ca.acme.ip_address,
                ca.acme.authentication_profile_id,
                ca.acme.signing_profile_id,
            ),
        )

    def ca_info(self, path: Path, responders: Sequence[OcspEntry], key: str) -> CaInfo:
        return CaInfo(
            self.certificate(path, f"{key}.certificate"),
            tuple(self.ocsp(each, f"{key}.ocsp[{number}]") for number, each in enumerate(responders, 1)),
        )

    def ocsp(self, entry: OcspEntry, key: str) -> OcspInfo:
        path = entry.certificate
        return OcspInfo(entry.url, None if path is None else self.certificate(path, f"{key}.certificate"), entry.cost)

    def servers(self) -> tuple[SecurityServer, ...]:
        """The servers; a certificate at two of them would let one speak in the other's name."""
        made: list[SecurityServer] = []
        owners: dict[bytes, str] = {}
        for number, entry in enumerate(self.config.servers, 1):
            server = self.server(entry, f"server[{number}]")
            for place, digest in enumerate(server.auth_cert_hashes, 1):
                owner = owners.setdefault(digest, str(entry.id))
                if owner != str(entry.id):
                    key, path = f"server[{number}].auth_certificates[{place}]", entry.auth_certificates[place - 1]
                    raise ConfigError(self.source, key, str(path), f"must not be that of {owner} too")
            made.append(server)
        return tuple(made)

    def server(self, entry: ServerEntry, key: str) -> SecurityServer:
        return SecurityServer(
            server_id=entry.id,
            address=entry.address,
            auth_cert_hashes=tuple(
                hashlib.sha256(self.certificate(path, f"{key}.auth_certificates[{number}]")).digest()
                for number, path in enumerate(entry.auth_certificates, 1)
            ),
            clients=entry.clients,
            maintenance=None if entry.maintenance is None else MaintenanceMode(entry.maintenance or None),
        )

    def groups(self) -> tuple[GlobalGroup, ...]:
        """The groups of the file, and the owners' group that X-Road's central server keeps by itself."""
        instance = self.config.instance
        groups = [
            GlobalGroup(GlobalGroupId(instance, each.code), each.description, each.members)
            for each in self.config.groups
        ]
        if self.config.servers and all(each.code != OWNERS_GROUP for each in self.config.groups):
            owners = tuple(sorted({each.id.owner for each in self.config.servers}))
            groups.append(GlobalGroup(GlobalGroupId(instance, OWNERS_GROUP), "Security server owners", owners))
        return tuple(groups)

    def anchor(self, path: Path, key: str) -> Anchor:
        try:
            anchor = parse_anchor(self.read(path, key))
        except MalformedAnchor as error:
            raise ConfigError(self.source, key, str(path), f"must be a configuration anchor: {error.detail}") from error
        if anchor.instance == self.config.instance:
            raise ConfigError(self.source, key, str(path), "must be of another instance than the own one")
        return anchor

    def certificate(self, path: Path, key: str) -> bytes:
        data = self.read(path, key)
        load: Callable[[bytes], x509.Certificate] = (
            x509.load_pem_x509_certificate
            if data.lstrip().startswith(b"-----BEGIN")
            else x509.load_der_x509_certificate
        )
        try:
            return load(data).public_bytes(Encoding.DER)
        except ValueError as error:
            raise ConfigError(self.source, key, str(path), "must be a certificate file, PEM or DER") from error

    def read(self, path: Path, key: str) -> bytes:
        try:
            with path.open("rb") as file:
                return file.read(_MAX_FILE_BYTES)
        except OSError as error:
            raise ConfigError(self.source, key, str(path), f"cannot be read: {error.strerror}") from error


def _member(entry: MemberEntry, class_description: str) -> Member:
    names = [each.name for each in entry.subsystems]
    subsystems = tuple(Subsystem(client, name) for client, name in zip(entry.clients[1:], names, strict=True))
    return Member(entry.id, entry.name, class_description, subsystems)
