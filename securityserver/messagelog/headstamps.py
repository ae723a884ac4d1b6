"""Holds the time-stamps of signed tree heads against the heads: whoever has the signing key could make old heads anew.

It refuses to know files and who asks: a database, a trust snapshot and a time in; what is wrong out. `spean log check`
calls it beside the check of the tree.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from securityserver.messagelog import treeheads
from securityserver.messagelog.tables import TIMESTAMP, TREE_HEAD
from securityserver.messagelog.treeheads import TreeHead
from serverkit.database import Database
from xroad import errors, timestamp

if TYPE_CHECKING:
    from xroad.globalconf.snapshot import TrustSnapshot

# A head is stamped at once; after a failure of all authorities later, but traffic stops after hours.
LATE: Final = timedelta(days=1)


@dataclass(slots=True)
class Stamps:
    """What was found.

    Args:
        held: how many heads an approved authority stamped in time.
        unknown: how many stamps are by none that the configuration names now: made up, or of one that has gone.
        wrong: a sentence for each that is over something else or far too late.
    """

    held: int = 0
    unknown: int = 0
    wrong: list[str] = field(default_factory=list)


def examine(database: Database, trust: "TrustSnapshot", now: datetime) -> Stamps:
    """Verify the time-stamps of all heads. Blocks.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refused.
    """
    found = Stamps()
    for head, token in _stamped(database):
        _hold(head, token, trust, now, found)
    return found


def _hold(head: TreeHead, token: bytes, trust: "TrustSnapshot", now: datetime, found: Stamps) -> None:
    told = f"the head signed at {head.at:%Y-%m-%d %H:%M:%S}Z"
    try:
        at = timestamp.verify(token, head.signature, trust, now).gen_time
    except errors.MalformedSignature:
        found.wrong.append(f"The time-stamp of {told} is over something else: the head was made anew.")
    except errors.XRoadError:
        found.unknown += 1
    else:
        if at > head.at + LATE:
            text = f"{told[0].upper()}{told[1:]} was time-stamped at {at:%Y-%m-%d %H:%M:%S}Z only: it may be younger."
            found.wrong.append(text)
        else:
            found.held += 1


def _stamped(database: Database) -> Iterator[tuple[TreeHead, bytes]]:
    query = select(TREE_HEAD.c.id, TIMESTAMP.c.token).join(TIMESTAMP, TREE_HEAD.c.timestamp_id == TIMESTAMP.c.id)
    with database.reading() as connection:
        tokens = {row.id: row.token for row in connection.execute(query)}
        heads = treeheads.heads(connection)
    yield from ((head, tokens[head.id]) for head in heads if head.id in tokens)
