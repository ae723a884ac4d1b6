"""Reads a node's whole message log from outside, and verifies every record, its body and the tree over all of them."""

import hashlib
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from securityserver.config import load_config
from securityserver.confstore import ConfigurationStore
from securityserver.messagelog import BodyForm, MessageLogReader, StoredRecord
from securityserver.messagelog.leaf import leaf_of, values_of
from securityserver.messagelog.tables import BODY_CHUNK, RECORD, TREE_NODE
from securityserver.migrations import open_node_database
from serverkit.database import Database
from xroad.errors import DatabaseError, XRoadError
from xroad.evidence import Direction, EvidenceRecord, judge
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import load_directory
from xroad.merkle import Frontier
from xroad.verdicts import VerdictCache
from xroad.xades import SignatureData


@dataclass(slots=True)
class LoggedNode:
    """A node's messages, by request id and direction, and what is wrong with them."""

    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def ids(self, direction: str) -> set[str]:
        return {request_id for request_id, its in self.messages if its == direction}


async def logged(node_file: Path) -> LoggedNode:
    """Read and verify everything."""
    config = load_config(node_file)
    trust = load_directory(ConfigurationStore(config.globalconf_directory).load(), datetime.now(UTC))
    node, cache = LoggedNode(), VerdictCache()
    with closing(open_node_database(config.database)) as database:
        async for record in MessageLogReader(database).iterate():
            node.messages[record.request_id, record.direction.value] += 1
            try:
                await _verify(database, record, trust, cache)
            except XRoadError as error:
                node.problems.append(f"record {record.id}: {error.full_code}: {error.detail}")
        node.problems += tree_problems(database)
    return node


def tree_problems(database: Database) -> list[str]:
    """Make each leaf and each node of the Merkle tree again, and name what is stored otherwise or missing."""
    with database.reading() as connection:
        stored = {(level, at): hash_ for level, at, hash_ in connection.execute(_NODES) if level > 0}
        frontier, problems = Frontier.load(0, lambda _level, _position: b""), []
        for row in connection.execute(select(RECORD).order_by(RECORD.c.leaf_index)).mappings():
            leaf = leaf_of(values_of(dict(row)))
            if (row["leaf_index"], row["leaf_hash"]) != (frontier.size, leaf):
                problems.append(f"record {row['id']} is not leaf {frontier.size} of the tree")
            problems += [
                f"node {node.position} of level {node.level} is wrong"
                for node in frontier.append(leaf)[1:]
                if stored.pop((node.level, node.position), node.hash) != node.hash
            ]
    return problems + [f"node {position} of level {level} is over nothing" for level, position in stored]


async def _verify(database: Database, record: StoredRecord, trust: TrustSnapshot, cache: VerdictCache) -> None:
    signature = SignatureData(record.signature, record.hash_chain_result, record.hash_chain)
    digest = await _body_digest(database, record)
    judged = judge(
        EvidenceRecord(Direction(record.direction.value), record.head, digest, signature),
        trust,
        record.at,
        cache=cache,
    )
    if (judged.request_id, judged.query_id) != (record.request_id, record.query_id):
        raise DatabaseError(f"record {record.id} is filed under another message's identifiers")


async def _body_digest(database: Database, record: StoredRecord) -> bytes | None:
    """The digest of a body that is there whole: read to its end, or as long as it was when it was encrypted."""
    if record.body_form is BodyForm.ENCRYPTED:
        if _stored_digest(database, record) != record.body_stored_digest:
            raise DatabaseError(f"the encrypted body of record {record.id} is not there whole")
        return record.body_digest if record.body_size else None
    digest = hashlib.sha512()
    async for chunk in MessageLogReader(database).read_body(record.id):
        digest.update(chunk)
    return digest.digest() if record.body_size else None


def _stored_digest(database: Database, record: StoredRecord) -> bytes:
    with database.reading() as connection:
        inline, body = connection.execute(select(RECORD.c.body, RECORD.c.body_id).where(RECORD.c.id == record.id)).one()
        chunks = select(BODY_CHUNK.c.data).where(BODY_CHUNK.c.body_id == body).order_by(BODY_CHUNK.c.position)
        pieces = [inline] if body is None else list(connection.execute(chunks).scalars())
    return hashlib.sha256(b"".join(piece or b"" for piece in pieces)).digest()


_NODES = select(TREE_NODE.c.level, TREE_NODE.c.position, TREE_NODE.c.hash)
