"""``spean archive run``: archives what waits, once, and removes what was archived long ago.

It refuses to work beside the node's own archiver: one at a time. It is for cron, and for an archive before an upgrade.
"""

import argparse
import asyncio
from contextlib import closing
from datetime import UTC, datetime

from securityserver.archiving.archiver import Run
from securityserver.archiving.assembly import assemble
from securityserver.config import NodeConfig, load_config
from securityserver.messagelog.recovery import open_log
from serverkit.logs import configure_logs
from spean.commands.common import told
from spean.commands.node import NODE_ERRORS
from spean.errors import CommandError


def run(arguments: argparse.Namespace) -> int:
    """Archive and say how much."""
    configure_logs(level="warning")
    with told(*NODE_ERRORS):
        done = archive(load_config(arguments.config))
    print(f"{done.records} records in {done.archives} archives; {done.removed} archived records removed.")
    print(f"កំណត់ត្រា {done.records} ក្នុងបណ្ណសារ {done.archives}; បានដកចេញ {done.removed}។")
    return 0


def archive(config: NodeConfig) -> Run:
    """Run the archiver of a node once."""
    if config.archive is None:
        raise CommandError("NODE.toml has no [archive]: say there where archives go (docs/archiving.md).")
    with closing(open_log(config.database)) as database:
        work = config.archive_work_directory
        return asyncio.run(assemble(config.archive, database, work, lambda: datetime.now(UTC)).run())
