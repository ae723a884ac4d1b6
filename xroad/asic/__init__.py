"""Signed documents: ASiC-E containers as X-Road writes them, read as if every one were hostile, and judged.

It refuses to know files, databases and clocks: bytes, a trust snapshot and a time in; a container or a verdict out.
The download service and the archive build them; `spean verify` reads them; whoever holds one needs neither of us.
"""

from xroad.asic.agreement import Comparison, ExchangeKey, Trace, compare, trace_of
from xroad.asic.builder import Parts, begin, build, escaped, file_name, stamped
from xroad.asic.container import Attachment, BatchStamp, Container, read
from xroad.asic.message import SignedMessage, read_message
from xroad.asic.verification import Outcome, Verdict, VerifiedContainer, judge, verify
from xroad.asic.zipwriter import ContainerTooLarge, ZipWriter

__all__ = [
    "Attachment",
    "BatchStamp",
    "Comparison",
    "Container",
    "ContainerTooLarge",
    "ExchangeKey",
    "Outcome",
    "Parts",
    "SignedMessage",
    "Trace",
    "Verdict",
    "VerifiedContainer",
    "ZipWriter",
    "begin",
    "build",
    "compare",
    "escaped",
    "file_name",
    "judge",
    "read",
    "read_message",
    "stamped",
    "trace_of",
    "verify",
]
