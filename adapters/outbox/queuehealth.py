"""What is wrong between an adapter and its NATS servers, in sentences that say what to do.

It refuses what servers and drivers say in their own words: that may hold an address or a user. The health page and the
log show what this tells; :mod:`adapters.outbox.stream` meets the errors.
"""

import ssl
from typing import Final

import structlog
from nats.errors import AuthorizationError
from nats.errors import Error as NatsError
from nats.js.errors import ServiceUnavailableError

from serverkit.metrics import Health, HealthState

_log = structlog.get_logger(__name__)
_WAITS: Final = "What is to be told waits in the outbox."
_WAITS_KM: Final = "អ្វីដែលត្រូវជូនដំណឹង រង់ចាំក្នុងប្រអប់ចេញ។"
WORKS: Final = Health(HealthState.OK, "The queue works.", "ជួររង់ចាំដំណើរការ។")
REFUSED: Final = Health(
    HealthState.DEGRADED,
    "The NATS servers refuse the user or the password: compare `user` and `password_file` under `events.queue` with "
    f"the servers' own configuration. {_WAITS}",
    "ម៉ាស៊ីនមេ NATS បដិសេធអ្នកប្រើ ឬពាក្យសម្ងាត់៖ សូមប្រៀបធៀប `user` និង `password_file` ក្រោម `events.queue` "
    f"ជាមួយការកំណត់របស់ម៉ាស៊ីនមេ។ {_WAITS_KM}",
)
UNTRUSTED: Final = Health(
    HealthState.DEGRADED,
    "A NATS server shows a certificate that is not trusted: `ca_file` under `events.queue` must hold the authority "
    f"that certified it, and `servers` the name that stands in it. {_WAITS}",
    "វិញ្ញាបនបត្ររបស់ម៉ាស៊ីនមេ NATS មិនត្រូវបានទុកចិត្ត៖ `ca_file` ក្រោម `events.queue` ត្រូវមានអាជ្ញាធរដែលបានចេញវា "
    f"ហើយ `servers` ត្រូវមានឈ្មោះដែលមានក្នុងនោះ។ {_WAITS_KM}",
)
NO_STREAMS: Final = Health(
    HealthState.DEGRADED,
    "The NATS servers keep no streams for this user: switch JetStream on, and let the user have the stream that "
    f"`events.queue` names. {_WAITS}",
    "ម៉ាស៊ីនមេ NATS មិនរក្សាទុក stream សម្រាប់អ្នកប្រើនេះទេ៖ សូមបើក JetStream ហើយអនុញ្ញាត stream ដែល `events.queue` "
    f"ដាក់ឈ្មោះ។ {_WAITS_KM}",
)
AWAY: Final = Health(
    HealthState.DEGRADED,
    f"No NATS server answers: see that they run, and that `servers` under `events.queue` names them. {_WAITS}",
    f"គ្មានម៉ាស៊ីនមេ NATS ណាឆ្លើយទេ៖ សូមមើលថាវាដំណើរការ ហើយ `servers` ក្រោម `events.queue` ដាក់ឈ្មោះវាត្រឹមត្រូវ។ {_WAITS_KM}",
)


class QueueHealth:
    """How the queue is: the last thing that was seen of it."""

    def __init__(self) -> None:
        self.now = WORKS

    def works(self) -> None:
        """An operation succeeded."""
        self.now = WORKS

    def failed(self, error: BaseException) -> Health:
        """Take an error over, and write it down when it is another one than before."""
        found = health_of(error)
        if found is not self.now:
            self.now = found
            _log.warning("outbox_queue_unusable", error=type(error).__name__, problem=found.en)
        return found


def health_of(error: BaseException) -> Health:
    """Say what an error means."""
    said = str(error).lower() if isinstance(error, NatsError) else ""
    if isinstance(error, AuthorizationError) or "authorization violation" in said:
        return REFUSED
    if isinstance(error, ssl.SSLError):
        return UNTRUSTED
    if isinstance(error, ServiceUnavailableError) or "permissions violation" in said:
        return NO_STREAMS
    return AWAY
