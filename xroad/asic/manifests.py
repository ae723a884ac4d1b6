"""The two manifests of a container: which files it has, and what its time-stamp is over.

It refuses to believe them: no signature covers them, so they can only show that a container is not as it was written.
Forms: OpenDocument 1.2 part 3; ETSI TS 102 918 (with the namespace that X-Road writes, which lacks a digit).
"""

from base64 import b64encode
from collections.abc import Iterable
from typing import Final

from xroad import xmlsafe
from xroad.algorithms import SHA512, digest_by_uri
from xroad.asic.errors import Defect, invalid
from xroad.asic.names import MEDIA_TYPE, TIMESTAMP, TS_HASH_CHAIN_RESULT
from xroad.errors import XRoadError

XML: Final = "text/xml"
BINARY: Final = "application/octet-stream"

_ODF = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
_ASIC = "http://uri.etsi.org/2918/v1.2.1#"
_DS = "http://www.w3.org/2000/09/xmldsig#"


def files_manifest(names: Iterable[tuple[str, str]]) -> bytes:
    """Write `META-INF/manifest.xml` for files with their media types."""
    entries = "".join(
        f'    <manifest:file-entry manifest:media-type="{media_type}" manifest:full-path="{name}"/>\n'
        for name, media_type in (("/", MEDIA_TYPE), *names)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<manifest:manifest xmlns:manifest="{_ODF}" manifest:version="1.2">\n'
        f"{entries}</manifest:manifest>\n"
    ).encode()


def time_stamp_manifest(hash_chain_result: bytes) -> bytes:
    """Write `META-INF/ASiCManifest.xml`, which tells other verifiers what the time-stamp is over."""
    digest = b64encode(SHA512.digest(hash_chain_result)).decode()
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<asic:ASiCManifest xmlns:asic="{_ASIC}" xmlns:ds="{_DS}">\n'
        f'<asic:SigReference URI="{TIMESTAMP}" MimeType="vnd.etsi.timestamp-token"/>\n'
        f'<asic:DataObjectReference URI="{TS_HASH_CHAIN_RESULT}" MimeType="{XML}">\n'
        f'<ds:DigestMethod Algorithm="{SHA512.uri}" />\n<ds:DigestValue>{digest}</ds:DigestValue>\n'
        "</asic:DataObjectReference>\n</asic:ASiCManifest>"
    ).encode()


def listed_files(manifest: bytes | None) -> frozenset[str]:
    """Return the names that a files' manifest lists; none if there is no manifest.

    Raises:
        AsicInvalidContainer: it cannot be read.
    """
    if manifest is None:
        return frozenset()
    try:
        root = xmlsafe.parse(manifest)
    except XRoadError as error:
        raise invalid(Defect.MANIFEST, "The container's list of files cannot be read.") from error
    paths = (each.get(f"{{{_ODF}}}full-path", "") for each in xmlsafe.children(root, f"{{{_ODF}}}file-entry"))
    return frozenset(path for path in paths if path != "/")


def check_time_stamp_manifest(manifest: bytes | None, hash_chain_result: bytes | None) -> None:
    """Hold that the manifest of the time-stamp, if there is one, speaks of this container's.

    Raises:
        AsicInvalidContainer: it cannot be read, or other verifiers would take the time-stamp for one over other data.
    """
    if manifest is None:
        return
    try:
        root = xmlsafe.parse(manifest)
        reference = xmlsafe.child(root, "{*}DataObjectReference")
        algorithm = digest_by_uri(xmlsafe.child(reference, f"{{{_DS}}}DigestMethod").get("Algorithm", ""))
        digest = "".join(xmlsafe.text(xmlsafe.child(reference, f"{{{_DS}}}DigestValue")).split())
        stamp = xmlsafe.child(root, "{*}SigReference").get("URI", "")
    except XRoadError as error:
        raise invalid(Defect.MANIFEST, "The container's manifest of the time-stamp cannot be read.") from error
    names = (stamp.removeprefix("/"), reference.get("URI", "").removeprefix("/"))
    expected = b64encode(algorithm.digest(hash_chain_result or b"")).decode()
    if names != (TIMESTAMP, TS_HASH_CHAIN_RESULT) or digest != expected:
        raise invalid(Defect.MANIFEST, "The container's manifest of the time-stamp speaks of other data.")
