"""Time-stamping of the message log: each signature gets an authority's word for when it existed (RFC 3161).

It refuses to know messages and pipelines; the log says what waits and keeps what comes.
``app`` runs it beside the exchanges, which it stops only when nobody has stamped anything for too long.
"""

from securityserver.timestamping.authorities import Authorities, Stamp
from securityserver.timestamping.budget import Budget
from securityserver.timestamping.keeper import TimestampKeeper
from securityserver.timestamping.settings import Timestamping
from securityserver.timestamping.stampedlog import StampedLog

__all__ = ["Authorities", "Budget", "Stamp", "StampedLog", "TimestampKeeper", "Timestamping"]
