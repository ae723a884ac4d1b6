"""``spean adapter client``: lets a client ask an adapter without the bus, by making it a secret.

It refuses to keep the secret: the file of clients gets its hash, and the client's own file is the only copy.
"""

import argparse
import secrets
from pathlib import Path
from typing import Any, Final

import yaml

from adapters import yamlfile
from adapters.errors import ConfigError
from adapters.registry.tokens import hashed
from spean.commands.common import PRIVATE, told, write_new
from spean.errors import CommandError
from xroad.errors import XRoadError
from xroad.identifiers import ClientId

SECRET_BYTES: Final = 32


def run(arguments: argparse.Namespace) -> int:
    """Add a client to the file, and write its secret into a file of its own."""
    client = _identity(arguments.client)
    with told(ConfigError):
        data = _read(arguments.clients)
        if any(each["id"] == arguments.id for each in data["clients"]):
            raise CommandError(f"{arguments.clients} has a client {arguments.id} already. Remove it there first.")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        data["clients"].append({"id": arguments.id, "client": client, "secret": hashed(secret)})
        text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
        yamlfile.parse(text.encode(), "clients", name=str(arguments.clients))
    write_new(arguments.secret_file, f"{secret}\n".encode(), mode=PRIVATE)
    _replace(arguments.clients, text)
    print(f"{arguments.id} may ask as {client} once the adapter is started anew.")
    print(f"Its secret is in {arguments.secret_file}: hand it over safely, then remove it here.")
    print(f"{arguments.id} អាចសួរបាន បន្ទាប់ពីចាប់ផ្ដើមអាដាប់ទ័រឡើងវិញ។ សូមប្រគល់ពាក្យសម្ងាត់ដោយសុវត្ថិភាព។")
    return 0


def _identity(text: str) -> str:
    try:
        return str(ClientId.parse(text))
    except XRoadError as problem:
        raise CommandError("--client is a subsystem such as KH-SANDBOX/GOV/NSAF/FAMILY-PACKAGE.") from problem


def _read(path: Path) -> dict[str, Any]:
    return yamlfile.load(path, "clients") if path.exists() else {"clients": []}


def _replace(path: Path, text: str) -> None:
    """Either the old file or the new one is there, whatever happens."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(PRIVATE)
    fresh.replace(path)
