"""The layout in which X-Road's configuration client keeps a downloaded configuration, as names and octets.

It refuses to touch a disk: names go to octets here, and the shell writes or reads them.
A node stores what it has verified in this layout, and starts from it while the central server is away.

    instance-identifier                 the own instance
    EE/shared-params.xml                one folder per instance, its name percent-encoded
    EE/shared-params.xml.metadata       JSON: which part this is, and until when it may be used
    EE/private-params.xml               of the own instance only
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote_plus, unquote_plus

from xroad.globalconf.directory import SignedDirectory
from xroad.globalconf.errors import MalformedGlobalConf, OutdatedGlobalConf, PartMissing, PartUnsafe, WrongInstance
from xroad.globalconf.index import InstanceIndex, build_index
from xroad.globalconf.parameters import DEFAULT_VERSION, parse_private, parse_shared
from xroad.globalconf.parameters.model import PrivateParameters
from xroad.globalconf.parameters.reading import moment_of
from xroad.globalconf.part import PRIVATE_PARAMETERS, SHARED_PARAMETERS, Part
from xroad.globalconf.snapshot import KnownInstance, TrustSnapshot, outdated_sentence, snapshot_digest

INSTANCE_FILE = "instance-identifier"
METADATA_SUFFIX = ".metadata"
SHARED_FILE = "shared-params.xml"
PRIVATE_FILE = "private-params.xml"
_FILE_NAMES = {SHARED_PARAMETERS: SHARED_FILE, PRIVATE_PARAMETERS: PRIVATE_FILE}

# X-Road's metadata may leave the end of validity out, and then means that there is none.
NEVER = datetime.max.replace(tzinfo=UTC)
MAX_METADATA_BYTES = 64 * 1024
_UNSAFE_FOLDERS = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Metadata:
    """What stands beside a stored part: until when it may be used, and the version that it is of."""

    expires_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A verified directory and the verified contents of its parts, by location."""

    directory: SignedDirectory
    contents: Mapping[str, bytes]


def folder_of(instance: str) -> str:
    """Encode an instance as a folder name, as X-Road does (form encoding).

    Raises:
        PartUnsafe: the instance would name the folder itself or the one above it.
    """
    folder = quote_plus(instance, safe="*-._")
    if folder in _UNSAFE_FOLDERS:
        raise PartUnsafe("The configuration names an instance that cannot be stored as a folder.")
    return folder


def store(instance: str, downloads: Iterable[Downloaded]) -> dict[str, bytes]:
    """Lay verified configurations out as files.

    Raises:
        PartMissing: a download lacks the content of a part that its directory names.
        PartUnsafe: two parts would be stored under one name, or one outside its folder.
    """
    files: dict[str, bytes] = {INSTANCE_FILE: instance.encode()}
    for download in downloads:
        for part in download.directory.parts:
            _store_part(files, part, download)
    return files


def _store_part(files: dict[str, bytes], part: Part, download: Downloaded) -> None:
    content = download.contents.get(part.location)
    if content is None:
        raise PartMissing(f"The part {part.location} of the configuration has not been downloaded.")
    instance = part.instance or download.directory.instance
    name = f"{folder_of(instance)}/{_FILE_NAMES.get(part.content_identifier) or part.file_name}"
    if name in files:
        # Else the second would replace the first after the first was checked.
        raise PartUnsafe(f"Two parts of the configuration would be stored as {name}.")
    files[name] = part.verify(content)
    files[name + METADATA_SUFFIX] = build_metadata(part, download.directory)


def build_metadata(part: Part, directory: SignedDirectory) -> bytes:
    """Write the metadata of a part as X-Road's configuration client does."""
    values = {
        "contentIdentifier": part.content_identifier,
        "instanceIdentifier": part.instance,
        "expirationDate": f"{directory.expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "contentFileName": part.file_name_hint,
        "contentLocation": part.location,
        "configurationVersion": str(directory.version),
    }
    return json.dumps({key: value for key, value in values.items() if value is not None}).encode()


def parse_metadata(data: bytes) -> Metadata:
    """Read the metadata of a part.

    Raises:
        MalformedGlobalConf: it is not JSON of that form.
    """
    try:
        values = json.loads(data[:MAX_METADATA_BYTES])
    except (ValueError, RecursionError) as error:
        raise MalformedGlobalConf("The metadata of a stored configuration part is not JSON.") from error
    if not isinstance(values, dict):
        raise MalformedGlobalConf("The metadata of a stored configuration part is not a JSON object.")
    expires_at, version = values.get("expirationDate"), values.get("configurationVersion")
    return Metadata(
        expires_at=NEVER if expires_at is None else moment_of(str(expires_at)),
        version=DEFAULT_VERSION if version is None else _version_of(str(version)),
    )


def _version_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3):  # noqa: PLR2004  no version is near 1000
        raise MalformedGlobalConf("The version of a stored configuration part is not a number.")
    return int(text)


def load_directory(
    files: Mapping[str, bytes],
    at: datetime,
    *,
    previous: TrustSnapshot | None = None,
    require_private: bool = True,
) -> TrustSnapshot:
    """Build the trust snapshot of a stored configuration.

    Args:
        files: the stored layout, names relative to its folder.
        at: the time to judge validity by; aware UTC.
        previous: the snapshot before; what has not changed since is taken from it.
        require_private: a node needs its instance's private parameters; an offline verifier has none.

    Raises:
        OutdatedGlobalConf: the own instance's configuration has expired.
        PartMissing: the own instance's part is not there.
        MalformedGlobalConf: the own instance's part cannot be read, or describes another instance.
    """
    own = _own_instance(files)
    expires_at = _own_expiry(files, own, at, require_private=require_private)
    known = {own: _load_shared(files, own, previous)}
    rejected: dict[str, str] = {}
    for instance in sorted(_instances(files) - {own}):
        _load_federated(files, instance, at, previous, known, rejected)
    private, private_digest = _load_private(files, own)
    return TrustSnapshot(
        instance=own,
        digest=snapshot_digest(own, known, private_digest),
        expires_at=expires_at,
        private=private,
        known=known,
        rejected=rejected,
        private_digest=private_digest,
    )


def _own_instance(files: Mapping[str, bytes]) -> str:
    data = files.get(INSTANCE_FILE)
    if data is None:
        raise PartMissing("The stored configuration does not say which instance this server belongs to.")
    try:
        return data.decode().strip()
    except UnicodeDecodeError as error:
        raise MalformedGlobalConf("The stored name of this server's instance is not UTF-8.") from error


def _own_expiry(files: Mapping[str, bytes], own: str, at: datetime, *, require_private: bool) -> datetime:
    needed = [SHARED_FILE, PRIVATE_FILE] if require_private else [SHARED_FILE]
    for name in needed:
        if f"{folder_of(own)}/{name}" not in files:
            raise PartMissing(f"The stored configuration has no {name} of the instance {own}.")
    expires_at = min(_metadata(files, f"{folder_of(own)}/{name}").expires_at for name in needed)
    if at > expires_at:
        raise OutdatedGlobalConf(outdated_sentence(own, expires_at, at))
    return expires_at


def _instances(files: Mapping[str, bytes]) -> set[str]:
    return {unquote_plus(name.removesuffix(f"/{SHARED_FILE}")) for name in files if name.endswith(f"/{SHARED_FILE}")}


def _load_federated(  # a federated partner's mistake must not take this instance down
    files: Mapping[str, bytes],
    instance: str,
    at: datetime,
    previous: TrustSnapshot | None,
    known: dict[str, KnownInstance],
    rejected: dict[str, str],
) -> None:
    try:
        loaded = _load_shared(files, instance, previous)
    except MalformedGlobalConf as error:
        rejected[instance] = error.detail
        return
    if loaded.expires_at < at:
        rejected[instance] = outdated_sentence(instance, loaded.expires_at, at)
    else:
        known[instance] = loaded


def _load_shared(files: Mapping[str, bytes], instance: str, previous: TrustSnapshot | None) -> KnownInstance:
    name = f"{folder_of(instance)}/{SHARED_FILE}"
    metadata = _metadata(files, name)
    digest = hashlib.sha256(files[name]).hexdigest()
    before = None if previous is None else previous.known.get(instance)
    if before is not None and (before.index.digest, before.index.version) == (digest, metadata.version):
        return KnownInstance(before.index, metadata.expires_at)
    return KnownInstance(_index_of(files[name], instance, metadata.version, digest), metadata.expires_at)


def _index_of(data: bytes, instance: str, version: int, digest: str) -> InstanceIndex:
    shared = parse_shared(data, version)
    if shared.instance != instance:
        raise WrongInstance(f"The shared parameters stored for {instance} describe another instance.")
    return build_index(shared, version, digest)


def _load_private(files: Mapping[str, bytes], own: str) -> tuple[PrivateParameters | None, str]:
    name = f"{folder_of(own)}/{PRIVATE_FILE}"
    data = files.get(name)
    if data is None:
        return None, ""
    private = parse_private(data, _metadata(files, name).version)
    if private.instance != own:
        raise WrongInstance(f"The private parameters stored for {own} describe another instance.")
    return private, hashlib.sha256(data).hexdigest()


def _metadata(files: Mapping[str, bytes], name: str) -> Metadata:
    data = files.get(name + METADATA_SUFFIX)
    if data is None:
        raise PartMissing(f"The stored configuration has no {name}{METADATA_SUFFIX}, so its validity is not known.")
    return parse_metadata(data)
