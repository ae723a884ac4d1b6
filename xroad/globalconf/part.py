"""One part that a signed directory describes: where its content is, and how the content is known to be the right one.

It refuses names and locations that would lead out of their place, and refuses to fetch or store.
Directories are read into parts; the shell fetches each part's content and gives it back to be verified.
"""

import hmac
import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from xroad.algorithms import DigestAlgorithm
from xroad.globalconf.errors import ConfigurationTooLarge, PartDigestMismatch, PartUnsafe
from xroad.globalconf.parameters.reading import MAX_PARAMETERS_BYTES

SHARED_PARAMETERS = "SHARED-PARAMETERS"
PRIVATE_PARAMETERS = "PRIVATE-PARAMETERS"

MAX_LOCATION = 2048

_LOCATION = re.compile(r"[!$&'()*+,\-./0-9:;=?@A-Z_a-z~%]+\Z")
_FILE_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}\Z")
# Names that a part of another kind must not take, or it would stand in for what they hold.
_RESERVED_NAMES = frozenset({"shared-params.xml", "private-params.xml", "instance-identifier", "files"})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a verified directory: where its content is, and the digest that the content must have."""

    content_identifier: str
    instance: str
    location: str
    digest_algorithm: DigestAlgorithm
    digest: bytes
    file_name_hint: str | None = None

    @property
    def file_name(self) -> str:
        """The name to store a part under that is neither shared nor private parameters.

        Raises:
            PartUnsafe: the hint or location would leave the folder, or take the name of another file.
        """
        name = self.file_name_hint or urlsplit(self.location).path.rpartition("/")[2]
        if not _FILE_NAME.match(name) or name in _RESERVED_NAMES or name.endswith(".metadata"):
            raise PartUnsafe("A part of the configuration would be stored under a name that is not allowed.")
        return name

    def url(self, base: str) -> str:
        """The address of the content, relative to the directory's own.

        Raises:
            PartUnsafe: it is on another server; a partner's directory must not send this server anywhere else.
        """
        url = urljoin(base, self.location)
        if urlsplit(url)[:2] != urlsplit(base)[:2]:
            raise PartUnsafe("A part of the configuration is on another server than its directory.")
        return url

    def verify(self, content: bytes) -> bytes:
        """Return the content when it is what the directory signed.

        Raises:
            ConfigurationTooLarge: it is beyond any configuration's size.
            PartDigestMismatch: it has another digest.
        """
        if len(content) > MAX_PARAMETERS_BYTES:
            raise ConfigurationTooLarge(f"The part {self.location} has more than {MAX_PARAMETERS_BYTES} bytes.")
        if not hmac.compare_digest(self.digest_algorithm.digest(content), self.digest):
            raise PartDigestMismatch(
                f"The downloaded part {self.location} is not the one that the directory describes; "
                "it was changed on the way, or the central server published a new one meanwhile."
            )
        return content


def safe_location(location: str) -> str:
    """Return a location that stays in its place: no step upwards, no control character, no backslash.

    Raises:
        PartUnsafe: it is none.
    """
    path = urlsplit(location).path if _LOCATION.match(location) and len(location) <= MAX_LOCATION else ".."
    if ".." in path.replace("%2e", ".").replace("%2E", ".").split("/"):
        raise PartUnsafe("A part of the signed directory has a location that leaves its place.")
    return location
