"""``[timestamping]`` of NODE.toml, as one frozen value.

It knows numbers and names, and nothing of who uses them. ``config`` reads it; ``app`` builds the time-stamping with it.
"""

from dataclasses import dataclass
from typing import Final

from serverkit.config import setting
from xroad.globalconf.errors import MalformedGlobalConf
from xroad.globalconf.snapshot import TrustSnapshot

# X-Road's default, for a node that has no configuration of its instance yet.
DEFAULT_INTERVAL: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Timestamping:
    """How a node has its log time-stamped; the interval is the instance's, in the global configuration."""

    # Stamp each message before it moves on, so that none exists without; each exchange then waits for the authority.
    immediately: bool = setting(default=False)
    # Names of approved authorities, in the order in which to ask them; none means all that the instance approves.
    authorities: tuple[str, ...] = setting(default=())
    # How long exchanges go on while nobody stamps: X-Road's default. Long enough for an authority's bad night.
    acceptable_failure_seconds: float = setting(default=4 * HOUR, minimum=0.1, maximum=30 * DAY)
    # For one authority, from name look-up to last byte: then the next one is asked.
    timeout_seconds: float = setting(default=20.0, minimum=0.01, maximum=300.0)
    # After a failure; it doubles with each one up to the interval.
    retry_seconds: float = setting(default=5.0, minimum=0.01, maximum=HOUR)
    # Under one time-stamp: X-Road's default. Chains of 14 steps and 3.4 kB each, made in a third of a second.
    records_per_request: int = setting(default=10_000, minimum=1, maximum=10_000)


def interval_of(trust: TrustSnapshot | None) -> float:
    """Give the instance's time-stamping interval in seconds."""
    try:
        return DEFAULT_INTERVAL if trust is None else float(trust.time_stamping_interval_seconds)
    except MalformedGlobalConf:  # the private parameters are missing: stamping goes on at the usual pace
        return DEFAULT_INTERVAL
