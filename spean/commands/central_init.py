"""``spean central init``: writes a CENTRAL.toml to start from.

It refuses to change one that is there. The signing keys and the configuration anchor are made by ``central run``, at
its first start.
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from centralserver.config import CaEntry, CentralConfig, MemberClassEntry, MemberEntry, OcspEntry, TsaEntry
from centralserver.config_file import dump_config
from centralserver.server import prepare
from pki.errors import PkiError
from serverkit.config import ConfigError
from serverkit.http import Listen
from spean.commands.common import make_pin_file, told, write_new
from spean.commands.paths import OCSP_PATH, TSA_PATH
from spean.errors import CommandError, UsageError
from xroad.errors import XRoadError
from xroad.identifiers import ClientId

_NEXT: Final = """
# For each institution, add its member, subsystems and security server, and save.
# A running central server takes the change over.
#
# [[member]]
# id = "INSTANCE/CLASS/MEMBER"
# name = "Ministry of …"
#
# [[member.subsystem]]
# code = "SUBSYSTEM"
#
# [[server]]
# id = "INSTANCE/CLASS/MEMBER/SERVER"
# address = "ss1.ministry.gov.kh"
# auth_certificates = ["ministry-auth.pem"]
# clients = ["INSTANCE/CLASS/MEMBER/SUBSYSTEM"]
"""


def run(arguments: argparse.Namespace) -> int:
    """Write a CENTRAL.toml with one member, the operator, and say what comes next."""
    path: Path = arguments.config
    operator = _operator(arguments.instance, arguments.operator)
    config = replace(
        empty(arguments.instance, arguments.listen),
        public_urls=(arguments.url,) if arguments.url else (),
        member_classes=(MemberClassEntry(operator.member_class),),
        members=(MemberEntry(operator, arguments.operator_name),),
    )
    if arguments.authority:
        config = approve(config, path, arguments.authority)
    make(path, config, comment=_NEXT)
    print(
        f"Wrote {path}. Start the central server with: spean central run {path}\n"
        f"Give {path.with_name('anchor.xml')} to each institution: a node starts from it."
    )
    return 0


def empty(instance: str, listen: str) -> CentralConfig:
    """Give the configuration of an instance with nobody in it; its paths are relative to its file."""
    try:
        address = Listen.parse(listen)
    except ValueError as problem:
        raise UsageError(f"--listen {listen}: write it as HOST:PORT.") from problem
    return CentralConfig(
        instance=instance,
        pin_file=Path("central.pin"),
        data_dir=Path("data"),
        anchor=Path("anchor.xml"),
        listen=(address,),
    )


def approve(config: CentralConfig, path: Path, public: Path) -> CentralConfig:
    """Add an authority's certificates, copied beside CENTRAL.toml, as approved services.

    Raises:
        CommandError: the folder is not what ``authority init`` made for others.
    """
    copied = path.parent / "approved"
    try:
        copied.mkdir(parents=True, exist_ok=True)
        for name in ("ca.pem", "ocsp.pem", "tsa.pem"):
            shutil.copyfile(public / name, copied / name)
        url = (public / "url").read_text().strip()
    except FileNotFoundError as problem:
        raise CommandError(
            f"{problem.filename} is missing. Give the -public folder of spean authority init."
        ) from problem
    responder = OcspEntry(url + OCSP_PATH, Path("approved/ocsp.pem"))
    return replace(
        config,
        cas=(*config.cas, CaEntry("CA", Path("approved/ca.pem"), ocsp=(responder,))),
        tsas=(*config.tsas, TsaEntry("TSA", Path("approved/tsa.pem"), url + TSA_PATH)),
    )


def make(path: Path, config: CentralConfig, *, comment: str = "") -> None:
    """Write a new CENTRAL.toml, the PIN of its signing keys, the keys and the anchor."""
    write_new(path, (dump_config(config) + comment).encode())
    make_pin_file(path.parent / "central.pin")
    with told(ConfigError, PkiError):
        prepare(path)


def _operator(instance: str, text: str) -> ClientId:
    try:
        return ClientId.parse(f"{instance}/{text}").member
    except XRoadError as problem:
        raise UsageError(f"--instance {instance} --operator {text}: {problem.detail}") from problem
