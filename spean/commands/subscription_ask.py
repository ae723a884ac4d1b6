"""``spean subscription ask``: puts a search into the outbox, whose answer comes later over the bus.

It refuses to wait for it: ``spean subscription answer`` shows what came. The adapter must run, to send and to take it.
"""

import argparse
import getpass
import sys
from datetime import UTC, datetime

from adapters.asynchronous import asking
from adapters.asynchronous.documents import Pen
from adapters.config import AdapterConfig, load_config
from adapters.errors import ConfigError
from adapters.events.naming import BadAddress, ServiceAddress
from spean.commands.adapter_service import chosen
from spean.commands.common import told
from spean.commands.outbox_store import outbox
from spean.errors import CommandError, UsageError


def run(arguments: argparse.Namespace) -> int:
    """Put it there, and say under which name its answer is found."""
    with told(ConfigError):
        config = load_config(arguments.config)
    question = _question(config, arguments)
    with outbox(arguments.config) as store:
        message_id = store.write_now(
            lambda connection: asking.ask(connection, store.key, Pen(config.sender_id), question, datetime.now(UTC))
        )
    print(
        f"Asked. See the answer with / មើលចម្លើយ៖ spean subscription answer {arguments.config} {message_id} --out FILE"
    )
    return 0


def _question(config: AdapterConfig, arguments: argparse.Namespace) -> asking.Question:
    kind, colon, value = arguments.id.partition(":")
    if not colon or not kind or not value:
        raise UsageError("--id is TYPE:VALUE, such as SPID:123.")
    try:
        at = ServiceAddress.parse(arguments.at)
    except BadAddress as error:
        raise UsageError(f"--at: {error}") from error
    purpose = {"code": arguments.purpose} | ({"ref_uri": arguments.ref_uri} if arguments.ref_uri else {})
    query = {"type": kind, "value": _value(value, kind)}
    service = chosen(config, arguments.service).code
    return asking.search_question(service, at, query, purpose=purpose, at=datetime.now(UTC))


def _value(given: str, kind: str) -> str:
    """A dash asks: on the terminal without showing what is typed, otherwise from standard input."""
    if given != "-":
        return given.strip()
    typed = getpass.getpass(f"{kind}: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not typed.strip():
        raise CommandError(f"Give the {kind} on standard input.")
    return typed.strip()
