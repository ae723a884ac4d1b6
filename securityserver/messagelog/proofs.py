"""Proofs that a record is in the log: small, and verified without this software by docs/message-log.md.

It refuses to change anything. `spean log prove` writes one; an auditor keeps it beside the record's container.
"""

from typing import Any, Final

from sqlalchemy import select

from securityserver.messagelog import treeheads
from securityserver.messagelog.leaf import FIELDS, encode, values_of
from securityserver.messagelog.tables import RECORD, TIMESTAMP, TREE_HEAD
from securityserver.messagelog.treeheads import HeadInvalid, TreeHead
from securityserver.messagelog.treestate import node
from serverkit.database import Database
from xroad import merkle
from xroad.merkle import ProofInvalid

FORMAT: Final = "spean-log-proof-1"


class Unprovable(Exception):  # noqa: N818 - says what the administrator meets
    """There is no proof for a record, and why."""


def prove(database: Database, record_id: int) -> dict[str, Any]:
    """Give the proof that a record is under the first tree head that was signed after it. Blocks.

    Raises:
        Unprovable: there is no such record, no head over it yet, or it is not what the tree covers.
        sqlalchemy.exc.SQLAlchemyError, LeavesMissing: the database refused, or has lost a part of the tree.
    """
    columns = [RECORD.c.leaf_index, RECORD.c.leaf_hash, *(RECORD.c[name] for name in FIELDS)]
    with database.reading() as connection:
        row = connection.execute(select(*columns).where(RECORD.c.id == record_id)).mappings().one_or_none()
        if row is None or row["leaf_index"] is None:
            raise Unprovable(f"There is no record {record_id} in the log's tree; look for it with `spean log list`.")
        index = row["leaf_index"]
        heads = treeheads.heads(connection, least_size=index + 1)
        if not heads:
            raise Unprovable(f"No tree head covers record {record_id} yet; ask again after the next time-stamp.")
        data = encode(values_of(dict(row)))
        path = merkle.inclusion_proof(lambda level, place: node(connection, level, place), index, heads[0].size)
        token = connection.execute(
            select(TIMESTAMP.c.token)
            .join(TREE_HEAD, TREE_HEAD.c.timestamp_id == TIMESTAMP.c.id)
            .where(TREE_HEAD.c.id == heads[0].id)
        ).scalar_one_or_none()
    proof = {
        "format": FORMAT,
        "record": record_id,
        "leaf": {"index": index, "data": data.hex()},
        "path": [step.hex() for step in path],
        "head": heads[0].to_json(),
        "timestamp": None if token is None else token.hex(),
    }
    try:
        verify(proof)
    except (ProofInvalid, HeadInvalid) as error:
        raise Unprovable(
            f"Record {record_id} is not what the log's tree covers ({error}); run `spean log check`."
        ) from error
    return proof


def verify(proof: dict[str, Any]) -> TreeHead:
    """Check a proof, and give the head that it leads to; whether to trust the head's certificate is the caller's.

    Raises:
        ProofInvalid, HeadInvalid: it does not hold, or is none.
    """
    try:
        if proof["format"] != FORMAT:
            raise ProofInvalid("This is no proof of a kind that this version knows.")
        head = TreeHead.from_json(proof["head"])
        index, data = int(proof["leaf"]["index"]), bytes.fromhex(proof["leaf"]["data"])
        path = [bytes.fromhex(step) for step in proof["path"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ProofInvalid("This is no proof.") from error
    merkle.verify_inclusion(merkle.leaf_hash(data), index, head.size, path, head.root)
    head.verify()
    return head
