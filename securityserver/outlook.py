"""How long what a node lives on is still good: its global configuration, OCSP responses and certificates, as metrics.

It refuses to find anything out: it reads what the node knows when somebody asks. ``app`` registers it, so that a
failure is seen coming by whoever watches the numbers.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from pki.clock import Clock
from pki.standing import Target
from pki.upkeep import OcspUpkeep
from securityserver.trust import TrustKeeper

NOTHING: Final = timedelta()
# A renewed certificate has the subject of the one before.
LABELS: Final = ("subject", "sha256")


class OutlookCollector(Collector):
    """Seconds that are left; 0 when there are none, or nothing to use.

    Args:
        trust: the global configuration.
        upkeep: the OCSP responses.
        certificates: gives the node's own certificates in use.
        clock: the time.
    """

    def __init__(
        self,
        trust: TrustKeeper,
        upkeep: OcspUpkeep,
        certificates: Callable[[], tuple[x509.Certificate, ...]],
        clock: Clock,
        registry: CollectorRegistry,
    ) -> None:
        self._trust, self._upkeep, self._certificates, self._clock = trust, upkeep, certificates, clock
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Give the numbers."""
        now = self._clock.now()
        latest = self._trust.latest()
        yield GaugeMetricFamily(
            "spean_global_configuration_valid_seconds",
            "How long the global configuration is valid if it is not renewed from now on",
            _left(latest.expires_at if latest is not None else now, now),
        )
        responses = GaugeMetricFamily(
            "spean_ocsp_response_usable_seconds",
            "How long the OCSP response of an own certificate may be used if it is not renewed from now on",
            labels=LABELS,
        )
        for item in self._upkeep.health():
            responses.add_metric(
                [item.subject, item.certificate_hash], max(item.usable_for or NOTHING, NOTHING).total_seconds()
            )
        yield responses
        own = GaugeMetricFamily(
            "spean_certificate_valid_seconds", "How long an own certificate is valid", labels=LABELS
        )
        for certificate in self._certificates():
            labels = [Target(certificate, None, ()).subject, certificate.fingerprint(SHA256()).hex()]
            own.add_metric(labels, _left(certificate.not_valid_after_utc, now))
        yield own


def _left(until: datetime, now: datetime) -> float:
    return max(until - now, NOTHING).total_seconds()
