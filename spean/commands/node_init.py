"""``spean node init``: writes a NODE.toml and makes the token and database that it names.

It refuses to change a node that is there. The certificates come next, with ``node request`` and ``node import``.
"""

import argparse
from pathlib import Path

from pki.token import SoftwareToken
from securityserver.anchorfile import read_anchor
from securityserver.commands import init_node
from spean.commands.common import make_pin_file, told, write_new
from spean.commands.node import NODE_ERRORS, new_token
from spean.commands.node_toml import NodeSettings, node_toml
from spean.errors import UsageError
from xroad.errors import XRoadError
from xroad.globalconf.anchor import anchor_hash
from xroad.identifiers import SecurityServerId


def run(arguments: argparse.Namespace) -> int:
    """Write the files of a new node and say what comes next."""
    config: Path = arguments.config
    settings = NodeSettings(
        server=_server(arguments.server),
        anchor=Path("anchor.xml"),
        message=[f"{arguments.address}:{arguments.message_port}"],
        ocsp=[f"{arguments.address}:{arguments.ocsp_port}"],
        client_http=[arguments.client],
        metrics=[arguments.metrics],
        peer_message_port=arguments.message_port,
        peer_ocsp_port=arguments.ocsp_port,
    )
    # First: without it nothing is begun.
    with told(*NODE_ERRORS):
        read_anchor(arguments.anchor, settings.server.instance)
    anchor = arguments.anchor.read_bytes()
    write_new(config, node_toml(settings).encode())
    (config.parent / settings.anchor).write_bytes(anchor)
    make(config, config.parent / settings.pin_file)
    print(
        f"The anchor's hash (SHA-224) is {anchor_hash(anchor)}: compare it with what the governing authority says.\n"
        f"The node's settings are in {config}. Its PIN is in {config.parent / settings.pin_file}.\n"
        f"Next: spean node request {config} --usage auth … and --usage sign …"
    )
    return 0


def make(config: Path, pin_file: Path) -> SoftwareToken:
    """Make what a written NODE.toml names and give its open token; the PIN is a new random one unless there is one."""
    make_pin_file(pin_file)
    with told(*NODE_ERRORS):
        token = new_token(config)
        init_node(config)
    return token


def _server(text: str) -> SecurityServerId:
    try:
        return SecurityServerId.parse(text)
    except XRoadError as problem:
        raise UsageError(f"--server {text}: write it as INSTANCE/CLASS/MEMBER/SERVER.") from problem
