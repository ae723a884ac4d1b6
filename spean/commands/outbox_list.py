"""``spean outbox list``: shows what waits to be sent, what the receiver rejected, and what was given up.

It refuses to change anything, and shows nothing that is sealed.
"""

import argparse
from datetime import UTC, datetime, timedelta

from adapters.outbox import overview
from adapters.outbox.rows import State
from spean.commands.outbox_lines import json_line, table
from spean.commands.outbox_store import outbox
from spean.errors import UsageError


def run(arguments: argparse.Namespace) -> int:
    """Print one page, and how to get the next."""
    filters = _filters(arguments)
    with outbox(arguments.config) as store:
        found = store.read_now(
            lambda each: overview.find(each, filters, after=arguments.after, limit=arguments.limit + 1)
        )
    shown = found[: arguments.limit]
    if arguments.json:
        for each in shown:
            print(json_line(each))
        return 0
    if not shown:
        print("No row fits. គ្មានជួរដែលត្រូវគ្នាទេ។")
        return 0
    for line in table(shown):
        print(line)
    if len(found) > len(shown):
        print(f"There are more; add / មានទៀត សូមបន្ថែម៖ --after {shown[-1].id}")
    return 0


def _filters(arguments: argparse.Namespace) -> overview.Filters:
    if arguments.limit < 1:
        raise UsageError("--limit is at least 1.")
    if arguments.older_than is not None and arguments.older_than < 0:
        raise UsageError("--older-than is a number of minutes.")
    before = None
    if arguments.older_than is not None:
        before = datetime.now(UTC) - timedelta(minutes=arguments.older_than)
    states = tuple(State(each) for each in arguments.state) or overview.COUNTED
    return overview.Filters(states, arguments.receiver, before)
