"""What ``/healthz`` tells of a node: its global configuration, OCSP responses, message log and time-stamping.

It refuses to find anything out: it reads what the node knows. ``app`` registers the checks.
"""

from datetime import datetime, timedelta
from typing import Final

from pki.clock import Clock
from pki.upkeep import OcspUpkeep
from securityserver.messagelog import MessageLog
from securityserver.timestamping import TimestampKeeper, observing
from securityserver.trust import TrustKeeper
from serverkit.metrics import Health, HealthChecks, HealthState

# A configuration that has been refreshed within its last minutes is usually far from this.
SOON: Final = timedelta(minutes=3)


def register_checks(
    checks: HealthChecks,
    trust: TrustKeeper,
    upkeep: OcspUpkeep,
    log: MessageLog,
    timestamps: TimestampKeeper,
    clock: Clock,
) -> None:
    """Register a node's checks."""
    checks.register("global_configuration", lambda: _configuration(trust, clock.now()))
    checks.register("ocsp", lambda: _ocsp(upkeep))
    checks.register("message_log", lambda: _message_log(log))
    checks.register("timestamping", lambda: observing.check(timestamps))


def _configuration(trust: TrustKeeper, at: datetime) -> Health:
    latest = trust.latest()
    if latest is None or latest.expires_at <= at:
        return Health(
            HealthState.FAILED,
            "There is no valid global configuration: check that the central server is reachable from here.",
            "គ្មានការកំណត់រចនាសម្ព័ន្ធសកលដែលមានសុពលភាព៖ សូមពិនិត្យថាអាចភ្ជាប់ទៅម៉ាស៊ីនមេកណ្តាលបាន។",
        )
    if trust.failing or latest.expires_at - at < SOON:
        return Health(
            HealthState.DEGRADED,
            f"The global configuration is not being renewed, and ends at {latest.expires_at:%H:%M:%S}Z: check that the "
            "central server is reachable from here; the log names the reason.",
            f"ការកំណត់រចនាសម្ព័ន្ធសកលមិនត្រូវបានធ្វើឱ្យថ្មី ហើយវាផុតកំណត់នៅម៉ោង {latest.expires_at:%H:%M:%S}Z៖ "
            "សូមពិនិត្យការភ្ជាប់ទៅម៉ាស៊ីនមេកណ្តាល។",
        )
    return Health(HealthState.OK, "The global configuration is valid.", "ការកំណត់រចនាសម្ព័ន្ធសកលមានសុពលភាព។")


def _ocsp(upkeep: OcspUpkeep) -> Health:
    items = upkeep.health()
    unusable = [item for item in items if item.usable_for is None]
    if items and len(unusable) == len(items):
        return Health(
            HealthState.FAILED,
            "There is no OCSP response that may still be used, so that nothing can be signed: check that this server "
            f"reaches its authority's OCSP responder. {unusable[0].last_error or 'It has not been asked yet.'}",
            "គ្មានចម្លើយ OCSP ដែលអាចប្រើបាន ដូច្នេះមិនអាចចុះហត្ថលេខាបានទេ៖ សូមពិនិត្យការភ្ជាប់ទៅសេវា OCSP។",
        )
    troubled = unusable or [item for item in items if item.last_error is not None]
    if troubled:
        return Health(
            HealthState.DEGRADED,
            f"The OCSP response of {troubled[0].subject} cannot be renewed: {troubled[0].last_error}",
            "មិនអាចបន្តសុពលភាពចម្លើយ OCSP បានទេ៖ សូមពិនិត្យការភ្ជាប់ទៅសេវា OCSP។",
        )
    return Health(HealthState.OK, "All OCSP responses are fresh.", "ចម្លើយ OCSP ទាំងអស់នៅថ្មី។")


def _message_log(log: MessageLog) -> Health:
    failure = log.statistics().last_failure
    if failure is not None:
        return Health(
            HealthState.FAILED,
            f"The message log cannot be written, so that no message moves: {failure}",
            "មិនអាចសរសេរកំណត់ហេតុសារបានទេ ដូច្នេះគ្មានសារណាអាចឆ្លងកាត់បានឡើយ។",
        )
    return Health(HealthState.OK, "The message log is being written.", "កំណត់ហេតុសារកំពុងដំណើរការ។")
