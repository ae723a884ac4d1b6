"""``spean outbox drop``: gives a row of the outbox up for good, and keeps why, by whom, and when.

It refuses what is over already. The row stays, until the declared days are over, for whoever asks what became of it.
"""

import argparse
import os
import pwd
from datetime import UTC, datetime

from adapters.outbox import overview
from spean.commands.outbox_store import outbox
from spean.errors import UsageError


def run(arguments: argparse.Namespace) -> int:
    """Drop it; what is about the same person and waits behind it may go then."""
    reason = arguments.reason.strip()
    if not reason:
        raise UsageError("--reason says why: whoever looks later must understand it.")
    by = _user()
    with outbox(arguments.config) as store:
        found = store.write_now(
            lambda each: overview.drop(each, store.key, arguments.number, reason=reason, by=by, at=datetime.now(UTC))
        )
    print(f"Row {found.id} is dropped, by {by}. ជួរ {found.id} ត្រូវបានបោះបង់ ដោយ {by}។")
    return 0


def _user() -> str:
    """Name the user of the operating system, not what the environment claims."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
