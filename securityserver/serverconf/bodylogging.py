"""What a subsystem's owner decides about bodies in the message log.

It refuses to know how bodies are encrypted, and the log.
A declaration carries it; the node asks it for each record.
"""

from dataclasses import dataclass
from enum import StrEnum


class LogForm(StrEnum):
    """How bodies of one direction are logged."""

    ENCRYPTED = "encrypted"  # the default: evidence with content, readable to whoever holds the log key
    PLAIN = "plain"
    NONE = "none"  # digest and size only, as CamDX demands of X-Road servers


@dataclass(frozen=True, slots=True)
class BodyLogging:
    """A client's decision; it holds for its messages as consumer and as provider."""

    requests: LogForm = LogForm.ENCRYPTED
    responses: LogForm = LogForm.ENCRYPTED

    @property
    def keeps_requests(self) -> bool:
        """Tell whether the log has the bodies of requests."""
        return self.requests is not LogForm.NONE

    @property
    def keeps_responses(self) -> bool:
        """Tell whether the log has the bodies of responses."""
        return self.responses is not LogForm.NONE
