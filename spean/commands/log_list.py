"""``spean log list``: shows the newest records that fit, a page at a time.

It refuses to change anything, and shows no bodies. The node may run meanwhile.
"""

import argparse
from contextlib import closing
from typing import Final

from securityserver.config import load_config
from securityserver.messagelog import search
from securityserver.messagelog.recovery import open_log
from spean.commands.common import told
from spean.commands.log_filters import place, wanted
from spean.commands.log_lines import csv_lines, json_lines, table
from spean.commands.node import NODE_ERRORS

LINES: Final = {"table": table, "json": json_lines, "csv": csv_lines}


def run(arguments: argparse.Namespace) -> int:
    """Print one page, and how to get the next."""
    filters, after = wanted(arguments), place(arguments)
    with told(*NODE_ERRORS), closing(open_log(load_config(arguments.config).database)) as database:
        page = search.find(database, filters, after=after, limit=arguments.limit)
    for line in LINES[arguments.format](page.found):
        print(line)
    if arguments.format == "table":
        print(_ending(page))
    return 0


def _ending(page: search.Page) -> str:
    if not page.found:
        return "No record fits. គ្មានកំណត់ត្រាដែលត្រូវគ្នាទេ។"
    if page.after is None:
        return "These are all. អស់ហើយ។"
    return f"There are more; add / មានទៀត សូមបន្ថែម៖ --after {page.after}"
