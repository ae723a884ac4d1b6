"""OCSP upkeep: a usable response for each own certificate, at any time, and a warning long before there is none.

It refuses to judge (``xroad.ocsp`` does) and to know what the responses are for. It runs beside the pipelines, which
take from it what they staple to messages, and what the OCSP relay hands to peers.

The pace is X-Road's: every certificate of the own chains below the trusted root, every 20 minutes or as the instance
sets it, sooner when a response ends sooner; after a failure again in 10 s, doubling up to X-Road's 60 s.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.x509.ocsp import OCSPCertStatus, load_der_ocsp_response

from pki.clock import Clock
from pki.errors import OcspUnavailable
from pki.fetching import FetchFailed, OcspFetcher
from pki.responses import ResponseFiles
from pki.standing import OcspHealth, Standing, chain_targets
from xroad import ocsp, xmlsafe
from xroad.errors import CertValidation, XRoadError
from xroad.globalconf.snapshot import TrustSnapshot

__all__ = ["DEFAULT_FETCH_INTERVAL", "OcspHealth", "OcspUpkeep", "fetch_interval"]

DEFAULT_FETCH_INTERVAL: Final = timedelta(minutes=20)
SHORTEST_FETCH_INTERVAL: Final = timedelta(minutes=1)
"""X-Road's lower bound: an instance that sets less would have all servers ask all the time."""
# Objects of certificates whose responses are found without a look at the certificate: a node asks with a few.
_ASKED: Final = 16
LONGEST_PAUSE: Final = timedelta(seconds=60)
"""New certificates and a new global configuration are noticed this soon without being told."""

_log = structlog.get_logger(__name__)


class _Revoked(FetchFailed):
    """The authority says, signed, that the certificate is revoked."""


def fetch_interval(conf: bytes | None) -> timedelta:
    """Give the interval that the instance's ``fetchinterval-params.xml`` sets; the default without one.

    Raises:
        InvalidXml: it is no XML that may be parsed.
        ValueError: it holds no whole number of seconds.
    """
    if conf is None:
        return DEFAULT_FETCH_INTERVAL
    seconds = int(xmlsafe.text(xmlsafe.child(xmlsafe.parse(conf), "ocspFetchInterval")))
    return max(timedelta(seconds=seconds), SHORTEST_FETCH_INTERVAL)


class OcspUpkeep:
    """Fetches, keeps and gives out the OCSP responses of the own certificates.

    Args:
        directory: where responses survive a restart.
        trust: gives the trust snapshot in force, or None before the first.
        certificates: gives the own certificates that are in use now.
        clock: time and waiting.
        interval: gives the fetch interval of the instance.
    """

    def __init__(
        self,
        directory: Path,
        *,
        trust: Callable[[], TrustSnapshot | None],
        certificates: Callable[[], Sequence[x509.Certificate]],
        clock: Clock,
        interval: Callable[[], timedelta] = lambda: DEFAULT_FETCH_INTERVAL,
    ) -> None:
        self._files = ResponseFiles(directory)
        self._trust = trust
        self._certificates = certificates
        self._clock = clock
        self._interval = interval
        self._wake = asyncio.Event()
        self._digest = ""
        self._followed: tuple[x509.Certificate, ...] = ()
        self._chains: dict[x509.Certificate, tuple[Standing, ...]] = {}
        # The same by the certificate's object, which is kept, so that no other one gets its identity.
        self._last_asked: dict[int, tuple[x509.Certificate, tuple[Standing, ...]]] = {}

    async def run(self) -> None:
        """Keep the responses fresh until cancelled."""
        while True:
            await self._round(self._due())
            await self._pause(self._until_next())

    async def refresh(self) -> None:
        """Fetch every response anew, now; failures are in ``health``."""
        self._adjust()
        await self._round(self._standings())

    def wake(self) -> None:
        """Look again at once: certificates or the global configuration changed."""
        self._wake.set()

    def response(self, certificate: x509.Certificate) -> bytes:
        """Give the response for one own certificate.

        Raises:
            OcspUnavailable: there is none, or none that may still be used.
        """
        return self._usable(self._chain(certificate)[0])

    def responses_for(self, certificate: x509.Certificate) -> tuple[bytes, ...]:
        """Give the responses for an own certificate and the intermediates above it, in that order.

        Raises:
            OcspUnavailable: one of them is missing, or may no longer be used.
        """
        return tuple(self._usable(standing) for standing in self._chain(certificate))

    def health(self) -> tuple[OcspHealth, ...]:
        """Tell how each certificate stands, for metrics and pages."""
        now = self._clock.now()
        return tuple(standing.health(now) for standing in self._standings())

    def _usable(self, standing: Standing) -> bytes:
        if standing.response is not None and self._clock.now() <= standing.good_until:
            return standing.response
        because = f" The last attempt failed: {standing.last_error}" if standing.last_error else ""
        raise OcspUnavailable(
            f"There is no usable OCSP response for {standing.target.subject}: check that this server reaches its "
            f"authority's OCSP responder.{because}"
        )

    def _chain(self, certificate: x509.Certificate) -> tuple[Standing, ...]:
        self._adjust()
        # Each exchange asks three times, and to hash a certificate takes as long as all the rest.
        last = self._last_asked.get(id(certificate))
        if last is not None and last[0] is certificate:
            return last[1]
        if certificate not in self._chains:
            raise OcspUnavailable(
                f"The certificate of {certificate.subject.rfc4514_string()} is not one whose OCSP responses are kept: "
                "is it active, and is there a global configuration?"
            )
        if len(self._last_asked) < _ASKED:
            self._last_asked[id(certificate)] = certificate, self._chains[certificate]
        return self._chains[certificate]

    def _standings(self) -> tuple[Standing, ...]:
        found = {standing.target.certificate: standing for chain in self._chains.values() for standing in chain}
        return tuple(found.values())

    def _adjust(self) -> None:
        """Follow the own certificates and the trust snapshot; cheap while nothing changed."""
        trust, certificates = self._trust(), tuple(self._certificates())
        if trust is None or (trust.digest == self._digest and certificates == self._followed):
            return
        known = {standing.target: standing for standing in self._standings()}
        self._chains = {
            certificate: tuple(known.get(target) or Standing(target) for target in chain_targets(certificate, trust))
            for certificate in certificates
        }
        self._last_asked.clear()
        self._digest, self._followed = trust.digest, certificates
        for standing in self._standings():
            self._judge_again(standing, trust)

    def _judge_again(self, standing: Standing, trust: TrustSnapshot) -> None:
        """Judge what is kept by the new snapshot: its freshness rule or its responders may be others."""
        kept = standing.response or self._files.read(standing.target.certificate)
        standing.forget()
        if kept is None or standing.target.issuer is None:
            return
        try:
            verdict = ocsp.verify(kept, standing.target.certificate, standing.target.issuer, trust, self._clock.now())
        except XRoadError as error:
            _log.info("ocsp_response_dropped", subject=standing.target.subject, reason=error.detail)
            return
        standing.keep(kept, verdict, verdict.this_update, self._interval())

    def _due(self) -> tuple[Standing, ...]:
        self._adjust()
        now = self._clock.now()
        return tuple(standing for standing in self._standings() if standing.due <= now)

    def _until_next(self) -> timedelta:
        now = self._clock.now()
        waits = [standing.due - now for standing in self._standings()]
        return max(min([LONGEST_PAUSE, *waits]), timedelta())

    async def _pause(self, length: timedelta) -> None:
        async with asyncio.TaskGroup() as group:
            sleeping = group.create_task(self._clock.sleep(length.total_seconds()))
            waking = group.create_task(self._wake.wait())
            await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
            sleeping.cancel()
            waking.cancel()
        self._wake.clear()

    async def _round(self, standings: Sequence[Standing]) -> None:
        trust = self._trust()
        if trust is None or not standings:
            return
        async with OcspFetcher.opened() as fetcher, asyncio.TaskGroup() as group:
            for standing in standings:
                group.create_task(self._renew(standing, trust, fetcher))

    async def _renew(self, standing: Standing, trust: TrustSnapshot, fetcher: OcspFetcher) -> None:
        failures = []
        for url in standing.target.urls:
            try:
                await self._renew_from(url, standing, trust, fetcher)
            except _Revoked as error:
                # The authority has spoken: another responder that has not heard of it yet must not be found.
                failures = [f"{url}: {error}"]
                break
            except FetchFailed as error:
                failures.append(f"{url}: {error}")
            except XRoadError as error:
                failures.append(f"{url}: {error.detail}")
            else:
                return
        self._note_failure(standing, "; ".join(failures) or standing.target.reason_without_urls)

    async def _renew_from(self, url: str, standing: Standing, trust: TrustSnapshot, fetcher: OcspFetcher) -> None:
        target = standing.target
        if target.issuer is None:
            raise FetchFailed(target.reason_without_urls)
        response = await fetcher.fetch(url, ocsp.build_request(target.certificate, target.issuer))
        now = self._clock.now()
        try:
            verdict = ocsp.verify(response, target.certificate, target.issuer, trust, now)
        except CertValidation as error:
            if load_der_ocsp_response(response).certificate_status is not OCSPCertStatus.REVOKED:
                raise  # "unknown" may be a responder that lags behind: what is held stays good until its limit
            self._drop_revoked(standing)
            raise _Revoked(error.detail) from error
        if standing.failing_since is not None:
            _log.info("ocsp_fetch_recovered", subject=target.subject, url=url)
        standing.recover()
        standing.keep(response, verdict, now, self._interval())
        self._files.write(target.certificate, response)

    def _drop_revoked(self, standing: Standing) -> None:
        standing.forget()
        self._files.remove(standing.target.certificate)
        _log.error("ocsp_certificate_revoked", subject=standing.target.subject)

    def _note_failure(self, standing: Standing, reason: str) -> None:
        now = self._clock.now()
        standing.fail(reason, now, self._interval())
        left = standing.usable_for(now)
        tell = _log.warning if left else _log.error
        tell(
            "ocsp_fetch_failing",
            subject=standing.target.subject,
            reason=reason,
            usable_for_seconds=int(left.total_seconds()) if left else 0,
            failing_since=_iso(standing.failing_since),
        )


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
