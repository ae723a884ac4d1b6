"""``spean log key``: shows who can read encrypted bodies, and gives the log's own key out for safe keeping.

It refuses to print a private key: what leaves is PKCS #12 under a password of its own.
"""

import argparse
from pathlib import Path

from pki import files
from pki.pin import Pin
from pki.token import SoftwareToken
from securityserver.config import NodeConfig, load_config
from securityserver.logkey import LABEL, recipients
from securityserver.messagelog.keys import fingerprint, read_public_key
from spean.commands.common import told
from spean.commands.node import NODE_ERRORS
from spean.errors import UsageError


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for: show, export or add-auditor."""
    with told(*NODE_ERRORS):
        config = load_config(arguments.config)
        if arguments.action == "show":
            _show(config)
        elif arguments.action == "export":
            _export(config, arguments)
        else:
            _auditor(config, arguments)
    return 0


def _show(config: NodeConfig) -> None:
    for path, key in zip((config.log_public_key, *config.log.auditors), recipients(config), strict=True):
        print(f"{fingerprint(key)}  {path}")


def _export(config: NodeConfig, arguments: argparse.Namespace) -> None:
    if arguments.out is None or arguments.password_file is None:
        raise UsageError("log key export: give --out FILE and --password-file FILE.")
    recipients(config)
    source = config.log_token
    token = SoftwareToken.open(source.directory, source.pin())
    password = Pin.from_file(arguments.password_file)
    password.require_strength()
    files.write_atomically(arguments.out, token.export_pkcs12(token.find(LABEL).id, password))
    print(f"The log key is in {arguments.out}: keep it away from this computer. សូមរក្សាទុកនៅកន្លែងផ្សេង។")


def _auditor(config: NodeConfig, arguments: argparse.Namespace) -> None:
    """Check an auditor's public key, and say what to write: an administrator edits NODE.toml, and no program."""
    if arguments.key is None:
        raise UsageError("log key add-auditor: give --key FILE with the auditor's public key (PEM).")
    key = read_public_key(arguments.key.read_bytes(), str(arguments.key))
    present = [str(path) for path in config.log.auditors]
    names = ", ".join(f'"{name}"' for name in [*present, str(_absolute(arguments.key))])
    print(f"# {fingerprint(key)}\n# Write this into {arguments.config}, then start the node again:\n[log]")
    print(f"auditors = [{names}]")


def _absolute(path: Path) -> Path:
    return path.resolve()
