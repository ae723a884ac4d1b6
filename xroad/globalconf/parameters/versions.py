"""Which versions of the global configuration exist, and what each of them can carry (PR-GCONF 2.7).

It refuses to know XML; a version that is not listed here is refused by everything that asks.
Readers, writers and the directory consult it before they touch a part.
"""

from dataclasses import replace

from xroad.globalconf.errors import UnsupportedVersion
from xroad.globalconf.parameters.model import ApprovedCaInfo, CaInfo, Member, SharedParameters

READABLE_VERSIONS = frozenset({2, 3, 4, 5, 6})
WRITABLE_VERSIONS = frozenset({3, 4, 5, 6})
CURRENT_VERSION = 6
# A directory or a metadata file without a version is of the time before versions were written down.
DEFAULT_VERSION = 2

WITH_SOURCES = 3
WITH_ACME = 3
WITH_ACME_PROFILES = 4
WITH_SUBSYSTEM_NAMES = 5
WITH_MAINTENANCE = 5
WITH_COSTS = 6
WITH_CSR_FORMAT = 6


def check_readable(version: int) -> int:
    """Return the version; raise UnsupportedVersion for one that this software does not read."""
    if version not in READABLE_VERSIONS:
        known = ", ".join(str(each) for each in sorted(READABLE_VERSIONS))
        raise UnsupportedVersion(
            f"Version {version} of the global configuration is not supported (supported: {known}). "
            "Ask the central server for one of these, or update this software."
        )
    return version


def check_writable(version: int) -> int:
    """Return the version; raise ValueError for one that is not written any more."""
    if version not in WRITABLE_VERSIONS:
        raise ValueError(f"version {version} of the global configuration is not written")
    return version


def project(shared: SharedParameters, version: int) -> SharedParameters:
    """Give what a file of the version can carry of these parameters; the rest is left out."""
    check_writable(version)
    return replace(
        shared,
        approved_cas=tuple(_project_ca(ca, version) for ca in shared.approved_cas),
        approved_tsas=tuple(tsa if version >= WITH_COSTS else replace(tsa, cost=None) for tsa in shared.approved_tsas),
        members=tuple(_project_member(member, version) for member in shared.members),
        servers=tuple(
            server if version >= WITH_MAINTENANCE else replace(server, maintenance=None) for server in shared.servers
        ),
    )


def _project_ca(ca: ApprovedCaInfo, version: int) -> ApprovedCaInfo:
    acme = ca.acme
    if acme is not None and version < WITH_ACME_PROFILES:
        acme = replace(acme, authentication_profile_id=None, signing_profile_id=None)
    return replace(
        ca,
        top=_project_ca_info(ca.top, version),
        intermediates=tuple(_project_ca_info(each, version) for each in ca.intermediates),
        default_csr_format=ca.default_csr_format if version >= WITH_CSR_FORMAT else None,
        acme=acme,
    )


def _project_ca_info(ca: CaInfo, version: int) -> CaInfo:
    if version >= WITH_COSTS:
        return ca
    return replace(ca, ocsp=tuple(replace(responder, cost=None) for responder in ca.ocsp))


def _project_member(member: Member, version: int) -> Member:
    if version >= WITH_SUBSYSTEM_NAMES:
        return member
    return replace(member, subsystems=tuple(replace(each, name=None) for each in member.subsystems))
