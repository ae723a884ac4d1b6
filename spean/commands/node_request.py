"""``spean node request``: makes a key in the node's token, and the request for its certificate.

It refuses to know how the authority answers. The request goes to the authority's operator; the answer comes back with
``node import``.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pki import requests
from pki.token import KeyType, SoftwareToken, Usage
from spean.commands.common import told, write_new
from spean.commands.node import NODE_ERRORS, opened
from spean.errors import UsageError
from xroad.errors import XRoadError
from xroad.identifiers import ClientId, SecurityServerId


@dataclass(frozen=True, slots=True)
class Wanted:
    """The certificate to ask for; ``dns_name`` is for authentication only, ``member`` for signing only."""

    usage: Literal["auth", "sign"]
    organization: str
    key_type: KeyType
    dns_name: str
    member: ClientId


def run(arguments: argparse.Namespace) -> int:
    """Make one key and write the request for it."""
    with told(*NODE_ERRORS):
        config, token = opened(arguments.config)
        server = config.server.id
        wanted = Wanted(
            arguments.usage,
            arguments.organisation,
            arguments.key,
            arguments.dns or config.listen.message[0].host,
            _member(arguments.member) if arguments.member else server.owner,
        )
        make(token, server, wanted, arguments.out)
    print(f"Wrote {arguments.out}. Send it to the authority; then: spean node import {arguments.config} CERT")
    return 0


def make(token: SoftwareToken, server: SecurityServerId, wanted: Wanted, out: Path) -> None:
    """Make a key and write the request for its certificate."""
    label = _free_label(token, f"{wanted.usage} {wanted.member.member_code}")
    if wanted.usage == "auth":
        write_new(out, _authentication(token, server, wanted, label))
    else:
        write_new(out, _signing(token, server, wanted, label))


def _authentication(token: SoftwareToken, server: SecurityServerId, wanted: Wanted, label: str) -> bytes:
    subject = requests.authentication_subject(
        instance=server.instance,
        member_class=server.member_class,
        server_code=server.server_code,
        organization=wanted.organization,
        dns_name=wanted.dns_name,
    )
    key = token.generate_key(label, wanted.key_type, usage=Usage.AUTHENTICATION)
    return requests.authentication_request(token, key.id, subject, [wanted.dns_name])


def _signing(token: SoftwareToken, server: SecurityServerId, wanted: Wanted, label: str) -> bytes:
    subject = requests.signing_subject(
        instance=wanted.member.instance,
        member_class=wanted.member.member_class,
        member_code=wanted.member.member_code,
        server_code=server.server_code,
        organization=wanted.organization,
    )
    key = token.generate_key(label, wanted.key_type, usage=Usage.SIGNING, member=wanted.member)
    return requests.signing_request(token, key.id, subject)


def _free_label(token: SoftwareToken, wanted: str) -> str:
    taken = {key.label for key in token.keys}
    numbered = (f"{wanted} {number}" for number in range(1, len(taken) + 2))
    return next(label for label in numbered if label not in taken)


def _member(text: str) -> ClientId:
    try:
        return ClientId.parse(text).member
    except XRoadError as problem:
        raise UsageError(f"--member {text}: write it as INSTANCE/CLASS/MEMBER.") from problem
