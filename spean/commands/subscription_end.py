"""``spean subscription end``: ends a subscription that somebody has at this adapter.

It refuses what is over already. The client is not told by a message, since DCI has none for it: tell its staff.
"""

import argparse
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from adapters.asynchronous import subscribing
from adapters.asynchronous.subscriptions import IN_FORCE
from adapters.events.tables import SUBSCRIPTION
from spean.commands.log_lines import visible
from spean.commands.outbox_store import outbox
from spean.errors import CommandError


def run(arguments: argparse.Namespace) -> int:
    """End it; what waits in the outbox for it is still sent."""
    with outbox(arguments.config) as store:
        client = store.write_now(lambda connection: _end(connection, arguments.code))
    if client is None:
        raise CommandError("No subscription in force has this code: see `spean subscription list`.")
    print(f"{visible(client)} is told of nothing more by this subscription. ការជាវនេះត្រូវបានបញ្ឈប់។")
    return 0


def _end(connection: Connection, code: str) -> str | None:
    table = SUBSCRIPTION.c
    found: str | None = connection.execute(
        select(table.client).where(table.code == code, table.status == IN_FORCE)
    ).scalar()
    subscribing.end(connection, code, datetime.now(UTC))
    return found
