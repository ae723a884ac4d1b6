"""``spean log prove``: writes the proof that a record is in the log, for an auditor who trusts neither us nor the node.

It refuses to write a proof that does not hold. docs/message-log.md says how to verify one by hand.
"""

import argparse
import json
from contextlib import closing

from securityserver.config import load_config
from securityserver.messagelog.proofs import Unprovable, prove
from securityserver.messagelog.recovery import open_log
from securityserver.messagelog.treestate import LeavesMissing
from spean.commands.common import told
from spean.commands.node import NODE_ERRORS


def run(arguments: argparse.Namespace) -> int:
    """Print the proof, or write it into a file."""
    with (
        told(*NODE_ERRORS, Unprovable, LeavesMissing),
        closing(open_log(load_config(arguments.config).database)) as database,
    ):
        text = json.dumps(prove(database, arguments.record), indent=1)
    if arguments.out is None:
        print(text)
    else:
        arguments.out.write_text(f"{text}\n", encoding="utf-8")
        print(f"The proof is in {arguments.out}. ភស្តុតាងស្ថិតនៅក្នុងឯកសារនេះ។")
    return 0
