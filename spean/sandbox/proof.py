"""Takes one exchange from a node's message log, and judges it with only that and the stored global configuration.

It refuses to ask any server: what it does can be done years later, on another computer. The demonstration ends with it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from securityserver.config import NodeConfig, load_config
from securityserver.confstore import ConfigurationStore
from securityserver.logkey import body_keys
from securityserver.messagelog import MessageLogReader, StoredRecord
from securityserver.messagelog.recovery import open_log
from spean.sandbox.story import StoryBrokenError
from xroad.evidence import Agreement, Direction, EvidenceRecord, Exchange, Judgement, agree, judge
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import load_directory
from xroad.xades import SignatureData


async def exchange_of(node_file: Path, query_id: str) -> Exchange:
    """Read both messages of an exchange from a node's log.

    Raises:
        StoryBrokenError: the log does not hold exactly one request and one response of it.
    """
    with _reader(load_config(node_file)) as reader:
        found = {record.direction.value: record for record in await reader.find(query_id=query_id)}
        if set(found) != {"request", "response"}:
            raise StoryBrokenError(f"the message log holds {sorted(found)} of the exchange")
        request, response = [await _evidence(reader, found[each]) for each in ("request", "response")]
    return Exchange(request, response)


def stored_trust(node_file: Path) -> TrustSnapshot:
    """Read the global configuration that a node keeps on disk."""
    files = ConfigurationStore(load_config(node_file).globalconf_directory).load()
    return load_directory(files, datetime.now(UTC))


def judgements(exchange: Exchange, trust: TrustSnapshot) -> tuple[Judgement, Judgement]:
    """Verify both messages' signatures, certificates and certificate status offline; raises an XRoadError otherwise."""
    now = datetime.now(UTC)
    return judge(exchange.request, trust, now), judge(exchange.response, trust, now)


def compared(one: Exchange, other: Exchange, trust: TrustSnapshot) -> Agreement:
    """Hold the two sides' evidence against each other; raises an XRoadError when one side's does not hold by itself."""
    return agree(one, other, trust, datetime.now(UTC))


@contextmanager
def _reader(config: NodeConfig) -> Iterator[MessageLogReader]:
    database = open_log(config.database)
    try:
        yield MessageLogReader(database, body_keys(config))
    finally:
        database.close()


async def _evidence(reader: MessageLogReader, record: StoredRecord) -> EvidenceRecord:
    # The body's digest is taken from the body itself: the one that the log notes beside it proves nothing.
    digest, size = hashlib.sha512(), 0
    async for chunk in reader.read_body(record.id):
        digest.update(chunk)
        size += len(chunk)
    return EvidenceRecord(
        direction=Direction(record.direction.value),
        head=record.head,
        body_digest=digest.digest() if size else None,
        signature=SignatureData(record.signature, record.hash_chain_result, record.hash_chain),
    )
