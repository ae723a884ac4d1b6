"""The signed directory of a configuration source: what parts there are, their digests, and until when it is valid.

It refuses a directory that is not signed by a key of the anchor, has expired, or describes another instance.
A node verifies each download with it before it believes a part (PR-GCONF 2.3 to 2.6).
"""

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from xroad.algorithms import (
    check_key_strength,
    digest_by_uri,
    signature_algorithm_by_uri,
)
from xroad.errors import UnsupportedAlgorithm
from xroad.globalconf.errors import (
    ConfigurationTooLarge,
    DirectoryAlgorithmRefused,
    DirectorySignatureInvalid,
    DirectorySignerUnknown,
    MalformedGlobalConf,
    OutdatedGlobalConf,
    PartMissing,
    WrongInstance,
)
from xroad.globalconf.multipart import RawPart, split_message, split_multipart
from xroad.globalconf.parameters.model import Anchor
from xroad.globalconf.parameters.reading import moment_of
from xroad.globalconf.parameters.versions import DEFAULT_VERSION, check_readable
from xroad.globalconf.part import PRIVATE_PARAMETERS, SHARED_PARAMETERS, Part, safe_location
from xroad.globalconf.snapshot import outdated_sentence

# X-Road's directories are under 4 KB; the limit leaves room for many optional parts.
MAX_DIRECTORY_BYTES = 1024 * 1024
MAX_PARTS = 64

_OCTETS = "application/octet-stream"
_PARAMETER = re.compile(r"""\s*;\s*([A-Za-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;"']+))\s*\Z""")


class SourceKind(Enum):
    """Which of a central server's two directories is read, and what it must hold for its instance."""

    INTERNAL = frozenset({SHARED_PARAMETERS, PRIVATE_PARAMETERS})
    EXTERNAL = frozenset({SHARED_PARAMETERS})


@dataclass(frozen=True, slots=True)
class SignedDirectory:
    """A directory whose signature, validity and instance have been verified."""

    instance: str
    version: int
    expires_at: datetime
    parts: tuple[Part, ...]


def verify_directory(
    data: bytes, source: Anchor, at: datetime, *, kind: SourceKind, extra_certificates: Sequence[bytes] = ()
) -> SignedDirectory:
    """Verify a downloaded directory and return what it says.

    Args:
        data: the body of the response, which begins with its Content-Type header.
        source: the anchor whose keys are trusted, and whose instance is expected.
        at: the time to judge validity by; aware UTC.
        kind: what the directory must hold; of an external one, only shared parameters are returned.
        extra_certificates: further signing certificates (DER) that verified shared parameters named.

    Raises:
        ConfigurationTooLarge, MalformedGlobalConf, UnsupportedVersion: it is not a directory that can be read.
        DirectoryAlgorithmRefused, DirectorySignerUnknown, DirectorySignatureInvalid: it is not signed as it must be.
        OutdatedGlobalConf: it has expired.
        WrongInstance, PartMissing, PartUnsafe: its parts are not those of the source.
    """
    signed, signature = _outer_parts(data)
    trusted = [certificate for each in source.sources for certificate in each.certificates]
    _verify_signature(signed.body, signature, [*trusted, *extra_certificates])
    return _read_signed(signed, source.instance, at, kind)


def _outer_parts(data: bytes) -> tuple[RawPart, RawPart]:
    if len(data) > MAX_DIRECTORY_BYTES:
        raise ConfigurationTooLarge(f"The signed directory has more than {MAX_DIRECTORY_BYTES} bytes.")
    parts = split_message(data, "multipart/related")
    if len(parts) != 2:  # noqa: PLR2004  the directory and its signature
        raise MalformedGlobalConf("A signed configuration has two parts, the directory and its signature.")
    return parts[0], parts[1]


def _verify_signature(signed: bytes, part: RawPart, trusted: Sequence[bytes]) -> None:
    part.expect("Content-Type", _OCTETS)
    part.expect("Content-Transfer-Encoding", "base64")
    try:
        algorithm = signature_algorithm_by_uri(part.header("Signature-Algorithm-Id"))
        key = _signing_certificate(part, trusted).public_key()
        check_key_strength(key)
        algorithm.verify(key, _base64(part.body), signed)
    except UnsupportedAlgorithm as error:
        raise DirectoryAlgorithmRefused(f"The configuration's signature is not accepted: {error.detail}") from error
    except InvalidSignature as error:
        raise DirectorySignatureInvalid(
            "The signature of the configuration does not verify: it was changed on the way, or made by another key."
        ) from error


def _signing_certificate(part: RawPart, trusted: Sequence[bytes]) -> x509.Certificate:
    encoded, parameters = _split_parameters(part.header("Verification-Certificate-Hash"))
    algorithm = digest_by_uri(parameters.get("hash-algorithm-id", ""))
    wanted = _base64(encoded.encode("ascii", "replace"))
    for certificate in trusted:
        if hmac.compare_digest(algorithm.digest(certificate), wanted):
            return _load(certificate)
    raise DirectorySignerUnknown(
        "The configuration is signed with a key that the configuration anchor does not name; "
        "if the central server's key was renewed, get a new anchor from the governing authority."
    )


def _load(certificate: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(certificate)
    except ValueError as error:
        raise DirectorySignerUnknown("The signing certificate in the configuration anchor cannot be read.") from error


def _read_signed(signed: RawPart, instance: str, at: datetime, kind: SourceKind) -> SignedDirectory:
    header, *rest = split_multipart(signed, "multipart/mixed")
    expires_at = moment_of(header.header("Expire-date"))
    if at > expires_at:
        raise OutdatedGlobalConf(outdated_sentence(instance, expires_at, at))
    if len(rest) > MAX_PARTS:
        raise ConfigurationTooLarge(f"The signed directory has more than {MAX_PARTS} parts.")
    parts = tuple(_read_part(each) for each in rest)
    _check_instances(parts, instance, kind)
    if kind is SourceKind.EXTERNAL:
        parts = tuple(part for part in parts if part.content_identifier == SHARED_PARAMETERS)
    return SignedDirectory(instance, check_readable(_version(header)), expires_at, parts)


def _version(header: RawPart) -> int:
    text = header.headers.get("version", str(DEFAULT_VERSION))
    if not (text.isascii() and text.isdigit() and len(text) <= 3):  # noqa: PLR2004  no version is near 1000
        raise MalformedGlobalConf("The version of the signed directory is not a number.")
    return int(text)


def _check_instances(parts: Sequence[Part], instance: str, kind: SourceKind) -> None:
    named = [(part.content_identifier, part.instance) for part in parts]
    if len(set(named)) < len(named):
        raise MalformedGlobalConf("The signed directory describes one part twice.")
    for identifier in sorted(kind.value):
        if (identifier, instance) not in named:
            others = sorted({other for found, other in named if found == identifier})
            if others:
                raise WrongInstance(f"The configuration describes {', '.join(others)} where {instance} is expected.")
            raise PartMissing(f"The signed directory of {instance} has no part {identifier}.")
    # A partner that signs parameters for another instance would otherwise replace that instance's members and keys;
    # and private parameters can only be those of the source's own instance.
    strict = SourceKind.INTERNAL.value if kind is SourceKind.EXTERNAL else {PRIVATE_PARAMETERS}
    if any(identifier in strict and other != instance for identifier, other in named):
        raise WrongInstance(f"The configuration source of {instance} also describes another instance.")


def _read_part(raw: RawPart) -> Part:
    raw.expect("Content-type", _OCTETS)
    raw.expect("Content-transfer-encoding", "base64")
    identifier, parameters = _split_parameters(raw.headers.get("content-identifier", ""))
    instance = parameters.get("instance", "")
    if identifier in SourceKind.INTERNAL.value and not instance:
        raise MalformedGlobalConf(f"The part {identifier} of the signed directory names no instance.")
    try:
        algorithm = digest_by_uri(raw.header("Hash-algorithm-id"))
    except UnsupportedAlgorithm as error:
        raise DirectoryAlgorithmRefused(f"A part's digest is not accepted: {error.detail}") from error
    return Part(
        content_identifier=identifier,
        instance=instance,
        location=safe_location(raw.header("Content-location")),
        digest_algorithm=algorithm,
        digest=_base64(raw.body),
        file_name_hint=raw.headers.get("content-file-name") or None,
    )


def _split_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Split ``value; name="x"``; X-Road quotes with either kind of quotes, or none."""
    main, semicolon, _ = value.partition(";")
    found = _PARAMETER.match(value[len(main) :]) if semicolon else None
    if semicolon and found is None:
        raise MalformedGlobalConf("A header of the signed configuration has a parameter that cannot be read.")
    return main.strip(), {} if found is None else {found[1].lower(): found[2] or found[3] or found[4] or ""}


def _base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedGlobalConf("A digest or signature of the signed configuration is not base64.") from error


def versioned_url(url: str, version: int) -> str:
    """Ask a source for one version; a version that the anchor's URL already asks for is respected (PR-GCONF 2.7)."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if any(name == "version" for name, _ in query):
        return url
    return urlunsplit(parts._replace(query=urlencode([*query, ("version", str(version))])))
