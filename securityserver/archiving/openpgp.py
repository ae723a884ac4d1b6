"""Encrypts an archive for those who may read it, by the package `python-gnupg` and the program `gpg`.

It refuses to know private keys: this server can make archives that only their recipients open. The archiver calls it
between the verified ZIP file and the store.
"""

import asyncio
from pathlib import Path
from typing import Final

import gnupg  # type: ignore[import-untyped]  # it has no annotations

from securityserver.archiving.errors import ArchivingFailed

# The administrator who put a key into this directory and named it by its fingerprint has decided to trust it; archives
# hold compressed data; the cipher is not left to a key's preferences. As X-Road does.
_OPTIONS: Final = ["--trust-model", "always", "--cipher-algo", "AES256", "--compress-algo", "none", "--batch"]


async def encrypt(source: Path, target: Path, home: Path, recipients: tuple[str, ...]) -> None:
    """Write an encrypted copy of a file.

    Args:
        source: what to encrypt.
        target: where to write; replaced.
        home: GnuPG's directory.
        recipients: fingerprints or long key ids.

    Raises:
        ArchivingFailed: `gpg` is missing, or a recipient's key is missing, expired or revoked.
    """
    await asyncio.to_thread(_encrypt, source, target, home, recipients)


def _encrypt(source: Path, target: Path, home: Path, recipients: tuple[str, ...]) -> None:
    target.unlink(missing_ok=True)
    gpg = _program(home)
    result = gpg.encrypt_file(str(source), list(recipients), armor=False, output=str(target), extra_args=_OPTIONS)
    if not result.ok:
        raise ArchivingFailed(
            f"An archive cannot be encrypted ({result.status or 'gpg gave no reason'}): see that {home} has a valid "
            f"public key for each of {', '.join(recipients)}."
        )
    # A message that lacks a recipient would be found years later, when the one who can open it is gone.
    if len(gpg.get_recipients_file(str(target))) != len(set(recipients)):
        raise ArchivingFailed(
            f"An archive was not encrypted for all of {', '.join(recipients)}; see the keys in {home}."
        )


def _program(home: Path) -> gnupg.GPG:
    if not home.is_dir():
        raise ArchivingFailed(f"{home}: there is no such directory; make it and import the recipients' public keys.")
    try:
        return gnupg.GPG(gnupghome=str(home))
    except OSError as error:
        raise ArchivingFailed("The program gpg is missing; install the package gnupg.") from error
