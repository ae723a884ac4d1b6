"""Private parameters and configuration anchors into XML, versions 3 to 6 (PR-GCONF annexes C and E).

The writer refuses to decide who is federated; it writes what it is given.
The central server publishes what it writes, and hands anchors out as files.
"""

from lxml import etree

from xroad.globalconf.parameters.model import Anchor, ManagementService, PrivateParameters
from xroad.globalconf.parameters.versions import check_writable
from xroad.globalconf.parameters.writing import (
    add,
    add_client,
    add_octets,
    add_text,
    moment_text,
    new_root,
    serialize,
)


def build_private(private: PrivateParameters, version: int) -> bytes:
    """Write a private parameters file; versions 3 to 6 have one form.

    Raises:
        ValueError: the version is not written any more.
    """
    check_writable(version)
    root = new_root("conf")
    add_text(root, "instanceIdentifier", private.instance)
    for anchor in private.anchors:
        fill_anchor(add(root, "configurationAnchor"), anchor)
    _add_management(root, private.management)
    add_text(root, "timeStampingIntervalSeconds", str(private.time_stamping_interval_seconds))
    return serialize(root)


def fill_anchor(element: etree._Element, anchor: Anchor) -> None:
    """Write an anchor into its element, inside private parameters or as a file's root.

    Raises:
        ValueError: the anchor has no source, or a source no certificate.
    """
    if not anchor.sources or not all(source.certificates for source in anchor.sources):
        raise ValueError("an anchor needs a source, and each source a verification certificate")
    if anchor.generated_at is not None:
        add_text(element, "generatedAt", moment_text(anchor.generated_at))
    add_text(element, "instanceIdentifier", anchor.instance)
    for source in anchor.sources:
        child = add(element, "source")
        add_text(child, "downloadURL", source.url)
        for certificate in source.certificates:
            add_octets(child, "verificationCert", certificate)


def _add_management(root: etree._Element, management: ManagementService) -> None:
    element = add(root, "managementService")
    add_text(element, "authCertRegServiceAddress", management.address)
    add_octets(element, "authCertRegServiceCert", management.certificate)
    add_client(element, "managementRequestServiceProviderId", management.provider)
