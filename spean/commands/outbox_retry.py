"""``spean outbox retry``: lets rows that were given up be sent again, under a new message.

It refuses what was delivered. A receiver that has an event already applies it no second time.
"""

import argparse
from datetime import UTC, datetime

from adapters.events.store import milliseconds
from adapters.outbox import overview
from spean.commands.outbox_store import outbox
from spean.errors import UsageError


def run(arguments: argparse.Namespace) -> int:
    """Let them wait again; the adapter sends them when it runs."""
    if bool(arguments.number) == arguments.dead:
        raise UsageError("Give numbers of rows, or --dead for all that were given up, not both.")
    if arguments.receiver is not None and not arguments.dead:
        raise UsageError("--receiver goes with --dead.")
    now = milliseconds(datetime.now(UTC))
    with outbox(arguments.config) as store:
        if arguments.dead:
            count = store.write_now(lambda each: overview.retry_all(each, arguments.receiver, now=now))
        else:
            numbers = sorted(set(arguments.number))
            store.write_now(lambda each: [overview.retry(each, number, now=now) for number in numbers])
            count = len(numbers)
    print(f"{count} will be sent again. ជួរចំនួន {count} នឹងត្រូវផ្ញើឡើងវិញ។")
    return 0
