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
from securityserver.logkey import body_keys
from securityserver.messagelog import MessageLogReader, StoredRecord
from securityserver.messagelog.leaf import leaf_of, values_of
from securityserver.messagelog.recovery import open_log
from securityserver.messagelog.tables import RECORD, TREE_NODE
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
    query_ids: set[str] = field(default_factory=set)

    def ids(self, direction: str) -> set[str]:
        return {request_id for request_id, its in self.messages if its == direction}


async def logged(node_file: Path) -> LoggedNode:
    """Read and verify everything."""
    config = load_config(node_file)
    trust = load_directory(ConfigurationStore(config.globalconf_directory).load(), datetime.now(UTC))
    node, cache = LoggedNode(), VerdictCache()
    with closing(open_log(config.database)) as database:
        reader = MessageLogReader(database, body_keys(config))
        async for record in reader.iterate():
            node.messages[record.request_id, record.direction.value] += 1
            node.query_ids.add(record.query_id)
            try:
                await _verify(reader, record, trust, cache)
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


async def _verify(reader: MessageLogReader, record: StoredRecord, trust: TrustSnapshot, cache: VerdictCache) -> None:
    signature = SignatureData(record.signature, record.hash_chain_result, record.hash_chain)
    digest = hashlib.sha512()
    async for chunk in reader.read_body(record.id):
        digest.update(chunk)
    body_digest = digest.digest() if record.body_size else None
    evidence = EvidenceRecord(Direction(record.direction.value), record.head, body_digest, signature)
    judged = judge(evidence, trust, record.at, cache=cache)
    if (judged.request_id, judged.query_id) != (record.request_id, record.query_id):
        raise DatabaseError(f"record {record.id} is filed under another message's identifiers")


_NODES = select(TREE_NODE.c.level, TREE_NODE.c.position, TREE_NODE.c.hash)
