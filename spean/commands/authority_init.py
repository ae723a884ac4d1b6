"""``spean authority init``: makes the authority's keys, and the folder that the central server approves it from.

It refuses to issue anything. What it makes is used by the other ``authority`` commands and by ``central init``.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.authority import Authority, init_authority
from pki.errors import PkiError
from pki.pin import Pin
from spean.commands.common import make_pin_file, told, write_new
from spean.commands.paths import OCSP_PATH, authority_pin, public_folder


def run(arguments: argparse.Namespace) -> int:
    """Make an authority in a new folder and say what comes next."""
    folder: Path = arguments.folder
    pin_file: Path = arguments.pin_file or authority_pin(folder)
    make(folder, pin_file, name=arguments.name, url=arguments.url)
    print(
        f"The authority is in {folder}. Its PIN is in {pin_file}: keep it where only the operator reads it.\n"
        f"Next: give {public_folder(folder)} to the central server, and start it with: spean authority run {folder}"
    )
    return 0


def make(folder: Path, pin_file: Path, *, name: str, url: str) -> Authority:
    """Make an authority whose services answer at ``url``.

    Raises:
        CommandError: the folder holds something already, or cannot be written.
    """
    with told(PkiError):
        make_pin_file(pin_file)
        authority = init_authority(
            folder,
            name=name,
            organization=name,
            pin=Pin.from_file(pin_file),
            now=datetime.now(UTC),
            ocsp_url=url.rstrip("/") + OCSP_PATH,
        )
    public = public_folder(folder)
    write_new(public / "ca.pem", b"".join(map(_pem, authority.ca_certificates)))
    write_new(public / "ocsp.pem", _pem(authority.ocsp_certificate))
    write_new(public / "tsa.pem", _pem(authority.tsa_certificate))
    write_new(public / "url", f"{url.rstrip('/')}\n".encode())
    return authority


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
