"""Reads a node's whole message log as an auditor would, from outside, and verifies every record."""

import hashlib
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from securityserver.config import load_config
from securityserver.confstore import ConfigurationStore
from securityserver.messagelog import MessageLogReader, StoredRecord
from securityserver.migrations import open_node_database
from xroad.errors import XRoadError
from xroad.evidence import Direction, EvidenceRecord, judge
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import load_directory
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
        reader = MessageLogReader(database)
        async for record in reader.iterate():
            node.messages[record.request_id, record.direction.value] += 1
            try:
                await _verify(reader, record, trust, cache)
            except XRoadError as error:
                node.problems.append(f"record {record.id}: {error.full_code}: {error.detail}")
    return node


async def _verify(reader: MessageLogReader, record: StoredRecord, trust: TrustSnapshot, cache: VerdictCache) -> None:
    digest, size = hashlib.sha512(), 0
    async for chunk in reader.read_body(record.id):
        digest.update(chunk)
        size += len(chunk)
    signature = SignatureData(record.signature, record.hash_chain_result, record.hash_chain)
    evidence = EvidenceRecord(
        Direction(record.direction.value), record.head, digest.digest() if size else None, signature
    )
    judged = judge(evidence, trust, record.at, cache=cache)
    if (judged.request_id, judged.query_id) != (record.request_id, record.query_id):
        raise AssertionError(f"record {record.id} is filed under another message's identifiers")
