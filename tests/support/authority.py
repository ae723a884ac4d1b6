"""A pilot authority, trust in it, and a clock to turn, for tests of keys and of OCSP."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.authority import Authority, init_authority, run
from pki.authority.profiles import CertificateUsage
from pki.clock import Clock
from pki.pin import Pin
from pki.requests import authentication_request, authentication_subject, signing_request, signing_subject
from pki.token import KeyInfo, KeyType, SoftwareToken, Usage
from xroad.globalconf.index import build_index
from xroad.globalconf.parameters.model import ApprovedCaInfo, CaInfo, OcspInfo, SharedParameters, TsaInfo
from xroad.globalconf.snapshot import KnownInstance, TrustSnapshot, snapshot_digest

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PIN = Pin("pilot-pin")
INSTANCE = "KH-SANDBOX"
PROFILE = "ee.ria.xroad.common.certificateprofile.impl.FiVRKCertificateProfileInfoProvider"


class TurnedClock:
    """A clock that stands until a test turns it; sleepers wake when their time has come."""

    def __init__(self, at: datetime = AT) -> None:
        self._now = at
        self._sleepers: list[tuple[datetime, int, asyncio.Event]] = []
        self._idle = asyncio.Event()
        self._count = 0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._count += 1
        self.slept.append(seconds)
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), self._count, woken))
        self._idle.set()
        try:
            await woken.wait()
        finally:
            self._sleepers = [sleeper for sleeper in self._sleepers if sleeper[2] is not woken]
            heapq.heapify(self._sleepers)

    async def turn(self, by: timedelta) -> None:
        """Turn on, stopping wherever somebody is to wake, until that one sleeps again."""
        end = self._now + by
        while self._sleepers and self._sleepers[0][0] <= end:
            self._now, _, woken = heapq.heappop(self._sleepers)
            self._idle.clear()
            woken.set()
            await self.settled()
        self._now = end

    async def another_sleep(self) -> None:
        """Wait until somebody goes to sleep anew, without turning the clock."""
        self._idle.clear()
        await self.settled()

    async def settled(self) -> None:
        """Wait until somebody sleeps on this clock."""
        await self._idle.wait()


def new_authority(
    directory: Path, *, at: datetime = AT, issuing_ca: bool = False, key_type: KeyType = "ec-p256"
) -> Authority:
    return init_authority(
        directory,
        name="Pilot CA",
        pin=PIN,
        now=at,
        ocsp_url="http://127.0.0.1:1/ocsp",
        issuing_ca=issuing_ca,
        key_type=key_type,
    )


@contextmanager
def opened(directory: Path) -> Iterator[Authority]:
    authority = Authority.open(directory, PIN)
    try:
        yield authority
    finally:
        authority.close()


@asynccontextmanager
async def serving(directory: Path, clock: Clock | None = None, listen: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """Run the authority's server; give its base URL."""
    stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(run(directory, listen, pin=PIN, stop=stop, ready=started.set_result, clock=clock))
        try:
            yield await started
        finally:
            stop.set()


def certified(
    token: SoftwareToken,
    authority: Authority,
    *,
    usage: CertificateUsage = "auth",
    key_type: KeyType = "ec-p256",
    at: datetime = AT,
) -> KeyInfo:
    """Make a key, request, issue and import its certificate."""
    purpose = Usage.SIGNING if usage == "sign" else Usage.AUTHENTICATION
    key = token.generate_key(f"{usage} {len(token.keys)}", key_type, usage=purpose)
    certificate = authority.issue(csr(token, key), usage=usage, now=at)
    return token.import_certificate(certificate.public_bytes(Encoding.PEM), authority.ca_certificates[1:])


def csr(token: SoftwareToken, key: KeyInfo) -> bytes:
    if key.usage is Usage.SIGNING:
        subject = signing_subject(
            instance=INSTANCE,
            member_class="GOV",
            member_code="MOP",
            server_code="SS1",
            organization="Ministry of Planning",
        )
        return signing_request(token, key.id, subject)
    subject = authentication_subject(
        instance=INSTANCE,
        member_class="GOV",
        server_code="SS1",
        organization="Ministry of Planning",
        dns_name="ss1.example",
    )
    return authentication_request(token, key.id, subject, ["ss1.example"])


def trust_in(
    authority: Authority, url: str, *more_urls: str, freshness: timedelta = timedelta(hours=1)
) -> TrustSnapshot:
    """Give a snapshot that approves the authority, its responders at the URLs, and its time-stamping."""
    responders = tuple(OcspInfo(each) for each in (url, *more_urls))
    root, *issuing = (
        CaInfo(certificate.public_bytes(Encoding.DER), responders) for certificate in authority.ca_certificates
    )
    shared = SharedParameters(
        instance=INSTANCE,
        ocsp_freshness_seconds=int(freshness.total_seconds()),
        approved_cas=(ApprovedCaInfo("Pilot CA", root, PROFILE, intermediates=tuple(issuing)),),
        approved_tsas=(TsaInfo("Pilot TSA", url, authority.tsa_certificate.public_bytes(Encoding.DER)),),
    )
    expires = AT + timedelta(days=3650)
    digest = f"{url} {more_urls} {freshness}"
    known = {INSTANCE: KnownInstance(build_index(shared, 6, digest), expires)}
    return TrustSnapshot(INSTANCE, snapshot_digest(INSTANCE, known, ""), expires, None, known)


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
