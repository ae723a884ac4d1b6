"""The durable record of each message that a node signs, sends, receives or releases.

It refuses to know what is exchanged and why; time-stamps and archives build on it.
Pipelines append to it before a message moves on; auditors read from it.
"""

from securityserver.messagelog.bodies import BodyKeeping
from securityserver.messagelog.body import (
    CHUNK_SIZE,
    EMPTY_BODY,
    INLINE_LIMIT,
    Body,
    BodySpool,
    BodyTooLarge,
    SpoolDirectory,
    SpoolUnusable,
)
from securityserver.messagelog.keys import BodyKeys, DataKeys, LogKeyUnusable
from securityserver.messagelog.log import LogLimits, LogStatistics, MessageLog
from securityserver.messagelog.reader import (
    BodyLocked,
    BodyNotLogged,
    BodyUnavailable,
    ContainerParts,
    MessageLogReader,
)
from securityserver.messagelog.records import BodyForm, Direction, Record, Side, StoredRecord, StoredTimestamp

__all__ = [
    "CHUNK_SIZE",
    "EMPTY_BODY",
    "INLINE_LIMIT",
    "Body",
    "BodyForm",
    "BodyKeeping",
    "BodyKeys",
    "BodyLocked",
    "BodyNotLogged",
    "BodySpool",
    "BodyTooLarge",
    "BodyUnavailable",
    "ContainerParts",
    "DataKeys",
    "Direction",
    "LogKeyUnusable",
    "LogLimits",
    "LogStatistics",
    "MessageLog",
    "MessageLogReader",
    "Record",
    "Side",
    "SpoolDirectory",
    "SpoolUnusable",
    "StoredRecord",
    "StoredTimestamp",
]
