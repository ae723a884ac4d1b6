"""``spean authority revoke``: takes back a certificate that the authority issued.

It refuses to guess: it takes the certificate itself, not a number that could be another's. Servers see it when their
OCSP answer is next refreshed.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from pki.errors import PkiError
from spean.commands.authority import opened
from spean.commands.common import told
from spean.errors import CommandError


def run(arguments: argparse.Namespace) -> int:
    """Revoke one certificate for good."""
    certificate = _read(arguments.certificate)
    with told(PkiError), opened(arguments.folder, arguments.pin_file) as authority:
        authority.revoke(certificate.serial_number, at=datetime.now(UTC), reason=arguments.reason)
    print(f"Revoked {arguments.certificate}: {certificate.subject.rfc4514_string()}")
    return 0


def _read(path: Path) -> x509.Certificate:
    data = path.read_bytes()
    try:
        if data.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except ValueError as problem:
        raise CommandError(f"{path} holds no certificate. Give the one that the authority issued.") from problem
