"""Starts an adapter's folder from a source's own schema: tables, an answer, or a spreadsheet.

It refuses to write over a folder, and to put any value of a record into what it writes, except codes of sex.
What it proposes is to be edited; ``spean adapter check`` says what is open.
"""

from adapters.starting.folder import start_folder
from adapters.starting.fromfile import from_table_file
from adapters.starting.fromjson import from_json
from adapters.starting.fromsql import from_sql
from adapters.starting.proposal import Proposal

__all__ = ["Proposal", "from_json", "from_sql", "from_table_file", "start_folder"]
