"""The history of a node's tables, and the door to a node's database.

It refuses to know how a database works: `serverkit.database` opens it.
A node's composition root and the commands beside it call `open_node_database` once.
"""

from serverkit.database import Database, open_database
from serverkit.migrations import Migrations

# "SPNn": `file` and other tools tell a node's database by it, and no other program's is opened by mistake.
APPLICATION_ID = 0x53504E6E

NODE = Migrations(package=__name__, application_id=APPLICATION_ID)


def open_node_database(url: str) -> Database:
    """Open a node's one database, with message log and configuration; blocks.

    Raises:
        DatabaseUnusable: as `serverkit.database.open_database`.
    """
    return open_database(url, NODE)
