"""How long to wait after failures: exponential with full jitter, so that senders do not come back all at once.

It refuses to sleep and to keep time. The relay asks it for each message and for each receiver as a whole.
"""

import random
from typing import Final

from adapters.outbox.config import RetryConfig

_MOST_DOUBLINGS: Final = 30  # 2^30 seconds are beyond any limit, and no float is asked for more


def wait(retry: RetryConfig, failures: int) -> float:
    """Return a random number of seconds below ``first * 2^(failures - 1)`` and the most; none without failures."""
    if failures < 1:
        return 0.0
    top = min(retry.most_seconds, retry.first_seconds * 2 ** min(failures - 1, _MOST_DOUBLINGS))
    return random.uniform(0, top)  # noqa: S311  # spreads load, keeps no secret
