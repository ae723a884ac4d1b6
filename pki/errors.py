"""Errors of keys, certificates and the pilot authority.

Each is a sentence for the person who runs the server: what is wrong and what to do. The module knows nothing of faults
on the wire. It stands under everything in ``pki``; the pipelines turn what reaches them into a fault of their own
server.

::

    PkiError
    ├── PinRefused          the PIN could not be read, or breaks a rule
    ├── TokenError
    │   ├── WrongPin
    │   ├── TokenDamaged    a file of the token is missing, altered or unreadable
    │   ├── TokenPermissions
    │   └── UnknownKey
    ├── RequestRefused      a certificate request asks for something that cannot be
    ├── OcspUnavailable     no usable OCSP response for an own certificate
    └── AuthorityError
"""

# ruff: noqa: N818 - named after what happened; the common base says that it is an error


class PkiError(Exception):
    """Base of all; its text is safe to show and to log."""


class PinRefused(PkiError):
    """The PIN could not be read, or breaks a rule; the text never holds the PIN."""


class TokenError(PkiError):
    """The software token cannot do what was asked."""


class WrongPin(TokenError):
    """The PIN does not open the token."""


class TokenDamaged(TokenError):
    """A file of the token is missing, altered or unreadable."""


class TokenPermissions(TokenError):
    """The token's directory or a file in it is open to other users."""


class UnknownKey(TokenError):
    """The token holds no such key, or the key has no certificate yet."""


class RequestRefused(PkiError):
    """The content of a certificate request breaks a rule."""


class OcspUnavailable(PkiError):
    """No OCSP response for an own certificate may be used now."""


class AuthorityError(PkiError):
    """The pilot authority refuses to issue, revoke or start."""
