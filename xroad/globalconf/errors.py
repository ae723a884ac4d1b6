"""The ways in which a global configuration is refused, one leaf for each, below the tree of `xroad.errors`.

They refuse to know where the configuration came from; the shell adds the address when it logs.
The readers and verifiers of this package raise them; a node goes on with the last good configuration meanwhile.

    MalformedGlobalConf           not readable, or against the schema of its version
    ├── DirectorySignatureInvalid   the signature is not over these octets, or not by this key
    ├── DirectorySignerUnknown      signed by a key that the anchor does not name
    ├── DirectoryAlgorithmRefused   signed or hashed with an algorithm that is not allowed
    ├── PartDigestMismatch          a downloaded part is not the one that was signed
    ├── PartMissing                 the directory or the download lacks a part that must be there
    ├── PartUnsafe                  a part's name or location would leave its place
    ├── WrongInstance               the configuration describes another instance than the one asked for
    ├── ConfigurationTooLarge       beyond the limits of this package
    └── UnsupportedVersion          a version that this software does not read
    OutdatedGlobalConf            the configuration's validity has ended (in `xroad.errors`)
"""

from xroad.errors import MalformedAnchor, MalformedGlobalConf, OutdatedGlobalConf

__all__ = [
    "ConfigurationTooLarge",
    "DirectoryAlgorithmRefused",
    "DirectorySignatureInvalid",
    "DirectorySignerUnknown",
    "MalformedAnchor",
    "MalformedGlobalConf",
    "OutdatedGlobalConf",
    "PartDigestMismatch",
    "PartMissing",
    "PartUnsafe",
    "UnsupportedVersion",
    "WrongInstance",
]


class DirectorySignatureInvalid(MalformedGlobalConf, code="MalformedGlobalConf.SignatureVerificationFailure"):
    """The directory's signature does not verify."""


class DirectorySignerUnknown(MalformedGlobalConf, code="MalformedGlobalConf.MissingVerificationCert"):
    """The directory names a signing certificate that the anchor does not hold."""


class DirectoryAlgorithmRefused(MalformedGlobalConf, code="MalformedGlobalConf.AlgorithmNotAllowed"):
    """The directory uses an algorithm that is not on the list."""


class PartDigestMismatch(MalformedGlobalConf, code="MalformedGlobalConf.PartIntegrityFailure"):
    """A part's octets do not have the digest that the directory signed."""


class PartMissing(MalformedGlobalConf, code="MalformedGlobalConf.PartMissing"):
    """A part that must be there is not."""


class PartUnsafe(MalformedGlobalConf, code="MalformedGlobalConf.PartUnsafe"):
    """A name or location points out of its place."""


class WrongInstance(MalformedGlobalConf, code="MalformedGlobalConf.InvalidInstanceIdentifier"):
    """A part describes another instance."""


class ConfigurationTooLarge(MalformedGlobalConf, code="MalformedGlobalConf.TooLarge"):
    """The configuration is beyond a limit."""


class UnsupportedVersion(MalformedGlobalConf, code="MalformedGlobalConf.UnsupportedVersion"):
    """The configuration's version is not one of those that this software reads."""
