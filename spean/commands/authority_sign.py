"""``spean authority sign``: issues the certificate that a request asks for.

It refuses to judge who may have one: the operator has done that before typing it. A node made the request; the
certificate goes back to it, and an authentication certificate also to the central server.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from pki.authority import Authority
from pki.authority.profiles import CertificateUsage
from pki.errors import PkiError
from spean.commands.authority import opened
from spean.commands.common import told, write_new


def run(arguments: argparse.Namespace) -> int:
    """Issue one certificate and write it as PEM."""
    request: Path = arguments.request
    with told(PkiError), opened(arguments.folder, arguments.pin_file) as authority:
        subject = issue(authority, request, arguments.usage, arguments.out)
    print(f"Issued {arguments.out} for {subject}")
    return 0


def issue(authority: Authority, request: Path, usage: CertificateUsage, out: Path) -> str:
    """Issue and write one certificate; gives its subject."""
    certificate = authority.issue(request.read_bytes(), usage=usage, now=datetime.now(UTC))
    write_new(out, certificate.public_bytes(Encoding.PEM))
    return certificate.subject.rfc4514_string()
