import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from structlog.testing import capture_logs

from pki.authority import Authority
from pki.errors import OcspUnavailable
from pki.token import SoftwareToken
from pki.upkeep import OcspUpkeep, fetch_interval
from tests.support.authority import AT, PIN, TurnedClock, certified, new_authority, opened, serving, trust_in
from xroad import ocsp
from xroad.errors import InvalidXml
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.ocsp import MAX_RESPONSE_BYTES

NOWHERE = "http://127.0.0.1:9/ocsp"
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


@dataclass
class Site:
    """A node's certificate, and what its upkeep sees; tests change the fields."""

    directory: Path
    authority: Authority
    certificate: x509.Certificate
    clock: TurnedClock = field(default_factory=TurnedClock)
    trust: TrustSnapshot | None = None

    def upkeep(self, interval: timedelta = 20 * MINUTE) -> OcspUpkeep:
        return OcspUpkeep(
            self.directory / "ocsp",
            trust=lambda: self.trust,
            certificates=lambda: (self.certificate,),
            clock=self.clock,
            interval=lambda: interval,
        )

    def asks(self, *urls: str, freshness: timedelta = HOUR) -> None:
        self.trust = trust_in(self.authority, *urls, freshness=freshness)

    def verdict(self, response: bytes) -> ocsp.OcspVerdict:
        assert self.trust is not None
        return ocsp.verify(response, self.certificate, self.authority.issuer_certificate, self.trust, self.clock.now())


@dataclass
class Responder:
    """A responder that does what a test tells it, and remembers when it was asked."""

    answer: Callable[[], web.Response]
    clock: TurnedClock
    started: datetime = AT
    upstream: str | None = None
    asked: list[float] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((self.clock.now() - self.started).total_seconds())
        if self.upstream is None:
            return self.answer()
        headers = {"Content-Type": "application/ocsp-request"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.upstream, data=await request.read(), headers=headers) as response,
        ):
            return web.Response(body=await response.read())

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        application = web.Application()
        application.router.add_post("/ocsp", self.handle)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/ocsp"
        finally:
            await runner.cleanup()


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pilot") / "ca"
    new_authority(directory, issuing_ca=True).close()
    return directory


@pytest.fixture
def site(pilot: Path, tmp_path: Path) -> Iterator[Site]:
    with opened(pilot) as authority:
        token = SoftwareToken.create(tmp_path / "token", PIN)
        certificate = certified(token, authority).certificate
        assert certificate is not None
        yield Site(tmp_path, authority, certificate)


async def test_the_chain_below_the_root_gets_responses(site: Site, pilot: Path) -> None:
    async with serving(pilot, site.clock) as url:
        site.asks(f"{url}/ocsp")
        upkeep = site.upkeep()
        await upkeep.refresh()
        own, issuing = upkeep.responses_for(site.certificate)
    assert upkeep.response(site.certificate) == own
    assert site.verdict(own).serial == site.certificate.serial_number
    assert issuing != own
    assert [(entry.age, entry.usable_for, entry.last_error) for entry in upkeep.health()] == 2 * [
        (0 * SECOND, HOUR, None)
    ]


async def test_a_second_responder_is_asked_when_the_first_fails(site: Site, pilot: Path) -> None:
    async with serving(pilot, site.clock) as url:
        site.asks(NOWHERE, f"{url}/ocsp")
        upkeep = site.upkeep()
        await upkeep.refresh()
    assert upkeep.response(site.certificate)


async def test_responses_survive_a_restart(site: Site, pilot: Path) -> None:
    async with serving(pilot, site.clock) as url:
        site.asks(f"{url}/ocsp")
        await site.upkeep().refresh()
    restarted = site.upkeep()
    assert site.verdict(restarted.response(site.certificate)).this_update == AT
    await site.clock.turn(HOUR + SECOND)
    with pytest.raises(OcspUnavailable):
        site.upkeep().response(site.certificate)


async def test_what_lies_on_disk_is_judged_before_use(site: Site, pilot: Path) -> None:
    async with serving(pilot, site.clock) as url:
        site.asks(f"{url}/ocsp")
        await site.upkeep().refresh()
    for file in (site.directory / "ocsp").iterdir():
        kept = file.read_bytes()
        file.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    with pytest.raises(OcspUnavailable):
        site.upkeep().response(site.certificate)


async def test_a_stale_response_is_not_given_out(site: Site, pilot: Path) -> None:
    async with serving(pilot, site.clock) as url:
        site.asks(f"{url}/ocsp", freshness=10 * MINUTE)
        upkeep = site.upkeep()
        await upkeep.refresh()
    await site.clock.turn(10 * MINUTE)
    assert upkeep.response(site.certificate)
    await site.clock.turn(SECOND)
    with pytest.raises(OcspUnavailable, match="reaches its authority's OCSP responder"):
        upkeep.response(site.certificate)
    assert upkeep.health()[0].usable_for is None


async def test_a_stricter_configuration_applies_at_once(site: Site, pilot: Path) -> None:
    async with serving(pilot, site.clock) as url:
        site.asks(f"{url}/ocsp")
        upkeep = site.upkeep()
        await upkeep.refresh()
    await site.clock.turn(10 * MINUTE)
    assert upkeep.response(site.certificate)
    site.asks(f"{url}/ocsp", freshness=5 * MINUTE)
    with pytest.raises(OcspUnavailable):
        upkeep.response(site.certificate)


async def test_no_trust_and_foreign_certificates_are_told(site: Site) -> None:
    upkeep = site.upkeep()
    await upkeep.refresh()
    with pytest.raises(OcspUnavailable, match="is there a global configuration"):
        upkeep.response(site.certificate)
    site.asks(NOWHERE)
    with pytest.raises(OcspUnavailable, match="not one whose OCSP responses are kept"):
        upkeep.response(site.authority.tsa_certificate)


async def test_a_certificate_of_an_unapproved_authority_is_told(site: Site, tmp_path: Path) -> None:
    other = new_authority(tmp_path / "other")
    other.close()
    site.trust = trust_in(other, NOWHERE)
    upkeep = site.upkeep()
    await upkeep.refresh()
    error = upkeep.health()[0].last_error
    assert error is not None
    assert "no authority that the global configuration approves" in error


async def test_an_outage_is_seen_coming(site: Site, pilot: Path) -> None:
    async with serving(pilot, site.clock) as url:
        site.asks(f"{url}/ocsp")
        upkeep = site.upkeep()
        await upkeep.refresh()
    with capture_logs() as logs:
        async with _running(upkeep, site.clock):
            await site.clock.turn(20 * MINUTE)
            first = [entry for entry in logs if entry["event"] == "ocsp_fetch_failing"]
            assert {(entry["log_level"], entry["usable_for_seconds"]) for entry in first} == {("warning", 2400)}
            health = upkeep.health()[0]
            assert (health.usable_for, health.failing_since) == (40 * MINUTE, site.clock.now())
            assert health.last_error is not None
            assert upkeep.response(site.certificate)
            await site.clock.turn(41 * MINUTE)
            last = logs[-1]
            assert (last["event"], last["log_level"], last["usable_for_seconds"]) == ("ocsp_fetch_failing", "error", 0)
            with pytest.raises(OcspUnavailable, match="The last attempt failed"):
                upkeep.response(site.certificate)


async def test_retries_back_off_and_end_with_the_outage(site: Site, pilot: Path) -> None:
    responder = Responder(lambda: web.Response(status=503), site.clock)
    async with responder.serving() as url:
        site.asks(url)
        upkeep = site.upkeep()
        async with _running(upkeep, site.clock):
            await site.clock.turn(3 * MINUTE)
            # Two certificates; at 0, 10, 30, 70, 130 seconds.
            assert responder.asked == sorted([0, 10, 30, 70, 130] * 2)
            async with serving(pilot, site.clock) as good:
                responder.upstream = f"{good}/ocsp"
                with capture_logs() as logs:
                    await site.clock.turn(MINUTE)
                assert [entry["event"] for entry in logs].count("ocsp_fetch_recovered") == 2
                assert upkeep.health()[0].failing_since is None


@pytest.mark.parametrize(("freshness", "minutes"), [(60, [0, 20, 40]), (30, [0, 15, 30, 45])])
async def test_the_pace_follows_the_interval_and_the_end_of_responses(
    site: Site, pilot: Path, freshness: int, minutes: list[int]
) -> None:
    responder = Responder(lambda: web.Response(status=503), site.clock)
    async with serving(pilot, site.clock) as good, responder.serving() as url:
        responder.upstream = f"{good}/ocsp"
        site.asks(url, freshness=freshness * MINUTE)
        async with _running(site.upkeep(), site.clock):
            await site.clock.turn(59 * MINUTE)
    assert [seconds / 60 for seconds in responder.asked] == sorted(minutes * 2)


async def test_waking_looks_at_once(site: Site, pilot: Path) -> None:
    upkeep = site.upkeep()
    async with serving(pilot, site.clock) as url, _running(upkeep, site.clock):
        site.asks(f"{url}/ocsp")
        upkeep.wake()
        await site.clock.another_sleep()
        assert upkeep.response(site.certificate)


async def test_a_revoked_certificate_is_used_no_more(site: Site, pilot: Path) -> None:
    async with serving(pilot, site.clock) as url:
        site.asks(f"{url}/ocsp", NOWHERE)
        upkeep = site.upkeep()
        await upkeep.refresh()
        assert upkeep.response(site.certificate)
        site.authority.revoke(site.certificate.serial_number, at=site.clock.now(), reason="keyCompromise")
        await upkeep.refresh()
    with pytest.raises(OcspUnavailable, match="was revoked at"):
        upkeep.response(site.certificate)
    with pytest.raises(OcspUnavailable):
        site.upkeep().response(site.certificate)


async def test_an_old_good_answer_does_not_bring_a_revoked_certificate_back(site: Site, pilot: Path) -> None:
    async with serving(pilot, site.clock) as url:
        site.asks(f"{url}/ocsp")
        upkeep = site.upkeep()
        await upkeep.refresh()
        held = upkeep.response(site.certificate)
        site.authority.revoke(site.certificate.serial_number, at=site.clock.now())
        async with Responder(lambda: web.Response(body=held), site.clock).serving() as late:
            site.asks(f"{url}/ocsp", late)
            await upkeep.refresh()
    with pytest.raises(OcspUnavailable, match="was revoked at"):
        upkeep.response(site.certificate)


async def test_an_ignorant_responder_does_not_take_a_good_response_away(
    site: Site, pilot: Path, tmp_path: Path
) -> None:
    async with serving(pilot, site.clock) as url:
        site.asks(f"{url}/ocsp")
        upkeep = site.upkeep()
        await upkeep.refresh()
        held = upkeep.response(site.certificate)
        # As an index restored from yesterday's backup answers.
        site.authority._index._connection.execute("DELETE FROM issued WHERE usage = 'auth'")
        await upkeep.refresh()
    assert upkeep.response(site.certificate) == held
    error = upkeep.health()[0].last_error
    assert error is not None
    assert "unknown" in error


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: web.Response(body=b"not OCSP"), "not readable"),
        (lambda: web.Response(body=b""), "not readable"),
        (lambda: web.Response(body=b"\0" * (MAX_RESPONSE_BYTES + 1)), "answered with more than"),
        (lambda: web.Response(status=500), "HTTP status 500"),
        (lambda: web.Response(status=204), "HTTP status 204"),
    ],
    ids=["nonsense", "empty", "too long", "500", "204"],
)
async def test_bad_answers_are_failures_with_a_reason(
    site: Site, answer: Callable[[], web.Response], reason: str
) -> None:
    async with Responder(answer, site.clock).serving() as url:
        site.asks(url)
        upkeep = site.upkeep()
        await upkeep.refresh()
    with pytest.raises(OcspUnavailable, match=f"The last attempt failed: .*{reason}"):
        upkeep.response(site.certificate)


async def test_redirects_are_not_followed(site: Site, pilot: Path) -> None:
    async with serving(pilot, site.clock) as good:
        redirect = Responder(lambda: web.Response(status=307, headers={"Location": f"{good}/ocsp"}), site.clock)
        async with redirect.serving() as url:
            site.asks(url)
            upkeep = site.upkeep()
            await upkeep.refresh()
    with pytest.raises(OcspUnavailable, match="HTTP status 307"):
        upkeep.response(site.certificate)


async def test_a_responder_that_hangs_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pki.fetching.TOTAL_TIMEOUT", 0.2)
    gone = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        await gone.wait()
        return web.Response()

    responder = Responder(web.Response, site.clock)
    monkeypatch.setattr(responder, "handle", hang)
    async with responder.serving() as url:
        site.asks(url)
        upkeep = site.upkeep()
        await upkeep.refresh()
        gone.set()
    with pytest.raises(OcspUnavailable, match="no answer within"):
        upkeep.response(site.certificate)


@pytest.mark.parametrize("url", ["", "not a url", "ftp://127.0.0.1/ocsp", "http://[::1"])
async def test_broken_urls_are_failures_with_a_reason(site: Site, url: str) -> None:
    site.asks(url)
    upkeep = site.upkeep()
    await upkeep.refresh()
    assert upkeep.health()[0].last_error


def test_the_instance_sets_the_interval() -> None:
    conf = b'<conf xmlns="http://x-road.eu/xsd/xroad.xsd"><ocspFetchInterval xmlns="">%s</ocspFetchInterval></conf>'
    assert fetch_interval(None) == 20 * MINUTE
    assert fetch_interval(conf % b"600") == 10 * MINUTE
    assert fetch_interval(conf % b"5") == MINUTE
    with pytest.raises(ValueError, match="soon"):
        fetch_interval(conf % b"soon")
    with pytest.raises(InvalidXml):
        fetch_interval(b"<conf")


@contextlib.asynccontextmanager
async def _running(upkeep: OcspUpkeep, clock: TurnedClock) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(upkeep.run())
        await clock.settled()
        try:
            yield
        finally:
            task.cancel()
