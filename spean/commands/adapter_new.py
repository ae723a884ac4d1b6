"""``spean adapter new``: starts an adapter's folder from a source's own schema.

It refuses to write over anything. What it writes is a proposal: the next command says what is open.
"""

import argparse

from adapters.errors import ConfigError, SourceError
from adapters.starting import Proposal, from_json, from_sql, from_table_file, start_folder
from spean.commands.common import told
from spean.errors import UsageError


def run(arguments: argparse.Namespace) -> int:
    """Write the folder and say what to do next."""
    if arguments.table is not None and arguments.from_sql is None:
        raise UsageError("--table goes with --from-sql.")
    with told(ConfigError, SourceError):
        files = start_folder(arguments.folder, _proposal(arguments), arguments.contract)
    print(f"{arguments.folder} has {', '.join(files)}.")
    print(f"Next / បន្ទាប់៖ spean adapter check {arguments.folder / 'adapter.yaml'}")
    return 0


def _proposal(arguments: argparse.Namespace) -> Proposal:
    if arguments.from_sql is not None:
        return from_sql(arguments.from_sql, arguments.table)
    if arguments.from_json is not None:
        return from_json(arguments.from_json)
    return from_table_file(arguments.from_xlsx)
