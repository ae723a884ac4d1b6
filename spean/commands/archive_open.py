"""``spean archive open``: takes the signed documents out of archives, with their bodies when a private key is given.

It refuses to judge them: `spean verify` is next. It needs no database, and a node only for its log key.
"""

import argparse
from pathlib import Path

from securityserver.archiving.errors import ArchiveRefused
from securityserver.archiving.unsealing import extract
from securityserver.config import load_config
from securityserver.logkey import body_keys
from securityserver.messagelog.keys import BodyKeys, LogKeyUnusable
from spean.commands.common import told
from spean.commands.node import NODE_ERRORS


def run(arguments: argparse.Namespace) -> int:
    """Write the containers and say how many there are."""
    written = closed = 0
    with told(ArchiveRefused, LogKeyUnusable, *NODE_ERRORS):
        keys = _keys(arguments.key, arguments.password_file, arguments.node)
        for file in arguments.files:
            for _name, whole in extract(file, arguments.out, keys):
                written, closed = written + 1, closed + (not whole)
    print(f"{written} containers are in {arguments.out}. បានសរសេរឯកសារ {written}។")
    if closed:
        print(f"{closed} of them lack their encrypted body: give --key or --node. ត្រូវការ --key ឬ --node ដើម្បីបើកខ្លឹមសារ។")
    return 0


def _keys(key: Path | None, password_file: Path | None, node: Path | None) -> BodyKeys | None:
    if node is not None:
        return body_keys(load_config(node))
    if key is None:
        return None
    password = None if password_file is None else password_file.read_bytes().rstrip(b"\r\n")
    return BodyKeys.from_pem(key.read_bytes(), password)
