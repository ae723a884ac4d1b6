"""``spean archive open``: takes the signed documents out of archives, with their bodies when a private key is given.

It refuses to judge them: `spean verify` is next. It needs no node and no database, only the files.
"""

import argparse
from pathlib import Path

from securityserver.archiving.errors import ArchiveRefused
from securityserver.archiving.unsealing import extract
from securityserver.messagelog.keys import BodyKeys, LogKeyUnusable
from spean.commands.common import told


def run(arguments: argparse.Namespace) -> int:
    """Write the containers and say how many there are."""
    written = closed = 0
    with told(ArchiveRefused, LogKeyUnusable):
        keys = _keys(arguments.key, arguments.password_file)
        for file in arguments.files:
            for _name, whole in extract(file, arguments.out, keys):
                written, closed = written + 1, closed + (not whole)
    print(f"{written} containers are in {arguments.out}. បានសរសេរឯកសារ {written}។")
    if closed:
        print(f"{closed} of them lack their encrypted body: give --key to put it in. ត្រូវការ --key ដើម្បីបើកខ្លឹមសារ។")
    return 0


def _keys(key: Path | None, password_file: Path | None) -> BodyKeys | None:
    if key is None:
        return None
    password = None if password_file is None else password_file.read_bytes().rstrip(b"\r\n")
    return BodyKeys.from_pem(key.read_bytes(), password)
