"""``spean adapter capture``: looks for changes now, for a registry that cannot tell and staff who changed something.

It refuses keys together with --whole. What it finds is told by the adapter's relay.
"""

import argparse
import asyncio
from datetime import UTC, datetime

from adapters.capture.comparing import Taken
from adapters.capture.following import Following
from serverkit.logs import configure_logs
from spean.commands.adapter_publishing import Publishing, publishing
from spean.errors import UsageError


def run(arguments: argparse.Namespace) -> int:
    """Look, and say what was found; 1 when there are records that cannot be given in the standard."""
    if arguments.key and arguments.whole:
        raise UsageError("Give --key, or --whole, not both.")
    if arguments.accept_gone and not arguments.whole:
        raise UsageError("--accept-gone goes with --whole.")
    configure_logs()
    with publishing(arguments.config, arguments.service) as found:
        taken = _keys(found, arguments.key) if arguments.key else asyncio.run(_look(found, arguments))
    print(
        f"{taken.records:,} records looked at, {taken.changed:,} new, changed or gone, {taken.told:,} notifications to "
        f"send, {taken.bad:,} that cannot be given in the standard (see the log)."
    )
    print(f"បានពិនិត្យ {taken.records:,} ផ្លាស់ប្ដូរ {taken.changed:,} ត្រូវជូនដំណឹង {taken.told:,} មិនត្រឹមត្រូវ {taken.bad:,}។")
    return 1 if taken.bad else 0


def _keys(found: Publishing, keys: list[str]) -> Taken:
    return found.store.write_now(lambda connection: found.publisher.look(connection, keys, datetime.now(UTC)))


async def _look(found: Publishing, arguments: argparse.Namespace) -> Taken:
    following = Following(found.publisher, found.store, found.source)
    try:
        return await following.once(whole=arguments.whole, accept_gone=arguments.accept_gone)
    finally:
        await found.source.close()
