"""Private parameters out of XML, versions 2 to 6, and the configuration anchors inside them (PR-GCONF annex C).

The reader refuses what the schema does not have; anchors as files of their own are in `xroad.globalconf.anchor`.
Only the own instance's private parameters ever reach a node.
"""

from lxml import etree

from xroad.globalconf.errors import MalformedGlobalConf
from xroad.globalconf.parameters import versions
from xroad.globalconf.parameters.model import Anchor, AnchorSource, ManagementService, PrivateParameters
from xroad.globalconf.parameters.reading import (
    certificate_of,
    client_of,
    fields,
    identified,
    moment_of,
    parse_conf,
    text_of,
)

_ROOT = frozenset({"instanceIdentifier", "configurationAnchor", "managementService", "timeStampingIntervalSeconds"})
_MANAGEMENT = frozenset({"authCertRegServiceAddress", "authCertRegServiceCert", "managementRequestServiceProviderId"})
_ANCHOR = frozenset({"generatedAt", "instanceIdentifier", "source"})
_SOURCE = frozenset({"downloadURL", "verificationCert"})

# From version 3 on the schema ends in xs:any.
_EXTENSIBLE_SINCE = 3


def parse_private(data: bytes, version: int) -> PrivateParameters:
    """Read a private parameters file; versions 3 to 6 have the same form.

    Raises:
        UnsupportedVersion: the version is not one of 2 to 6.
        MalformedGlobalConf: the file does not follow the schema.
    """
    versions.check_readable(version)
    conf = fields(parse_conf(data, "conf"), _ROOT, extensible=version >= _EXTENSIBLE_SINCE)
    return PrivateParameters(
        instance=conf.text("instanceIdentifier"),
        management=_management(conf.one("managementService")),
        time_stamping_interval_seconds=conf.number("timeStampingIntervalSeconds"),
        anchors=tuple(anchor_of(each) for each in conf.many("configurationAnchor")),
    )


def anchor_of(element: etree._Element) -> Anchor:
    """Read a configuration anchor, wherever it stands (PR-GCONF annex E)."""
    anchor = fields(element, _ANCHOR)
    generated_at = anchor.maybe("generatedAt")
    sources = tuple(_source(each) for each in anchor.many("source"))
    if not sources:
        raise MalformedGlobalConf("A configuration anchor names no source.")
    return Anchor(
        instance=anchor.text("instanceIdentifier"),
        generated_at=None if generated_at is None else moment_of(text_of(generated_at)),
        sources=sources,
    )


def _source(element: etree._Element) -> AnchorSource:
    source = fields(element, _SOURCE)
    certificates = tuple(certificate_of(each) for each in source.many("verificationCert"))
    if not certificates:
        raise MalformedGlobalConf("A source of a configuration anchor names no verification certificate.")
    return AnchorSource(source.text("downloadURL").strip(), certificates)


def _management(element: etree._Element) -> ManagementService:
    management = fields(element, _MANAGEMENT)
    certificate = management.maybe("authCertRegServiceCert")
    return ManagementService(
        address=management.text("authCertRegServiceAddress"),
        provider=identified(lambda: client_of(management.one("managementRequestServiceProviderId"))),
        certificate=None if certificate is None else certificate_of(certificate),
    )
