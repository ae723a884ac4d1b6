"""Writes NODE.toml, with a comment at each value that an administrator may want to change.

It refuses to read one: the node does. ``node init`` and the sandbox write their nodes' files with it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xroad.identifiers import SecurityServerId


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What differs between nodes; addresses are ``host:port``, paths are relative to the file."""

    server: SecurityServerId
    anchor: Path
    message: Sequence[str]
    ocsp: Sequence[str]
    client_http: Sequence[str]
    client_https: Sequence[str] = ()
    metrics: Sequence[str] = ()
    peer_message_port: int = 5500
    peer_ocsp_port: int = 5577
    pin_file: Path = field(default_factory=lambda: Path("token.pin"))


def node_toml(settings: NodeSettings) -> str:
    """Give the text of a NODE.toml."""
    return f"""\
# A security server: what it must know before it opens its database. Paths are relative to this file.

[server]
id = {_text(settings.server)}    # instance/class/member/server
anchor = {_text(settings.anchor)}
data = "data"

[token]
directory = "token"
pin_file = {_text(settings.pin_file)}    # readable by its owner only; or pin_env = "NAME OF A VARIABLE"

[listen]
client_http = {_list(settings.client_http)}    # for the institution's own systems: never open it to the internet
client_https = {_list(settings.client_https)}
message = {_list(settings.message)}    # for other security servers
ocsp = {_list(settings.ocsp)}    # for other security servers
metrics = {_list(settings.metrics)}    # Prometheus metrics and /healthz

# On which ports the instance's other security servers are reached: the same for all of them.
[ports]
message = {settings.peer_message_port}
ocsp = {settings.peer_ocsp_port}
"""


def _text(value: object) -> str:
    # A JSON string is a TOML string too, as long as it is plain ASCII or escaped.
    return json.dumps(str(value))


def _list(values: Sequence[str]) -> str:
    return json.dumps(list(values))
