"""Only a token that holds is taken, from whichever authority gives one first."""

import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest

from pki.clock import SystemClock
from securityserver.timestamping import Authorities, Timestamping
from tests.support import authority as pilot
from tests.support.pki import AT, Pki
from tests.support.tsa import BAD, ERROR, TsaServer, trust_in_tsas
from xroad import errors, timestamp
from xroad.algorithms import SHA512
from xroad.globalconf.snapshot import TrustSnapshot

FIRST, SECOND = Pki.create(label="First"), Pki.create(label="Second")
DATA = b"what is stamped"


class StandingClock:
    def now(self) -> datetime:
        return AT

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits here")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def first() -> AsyncIterator[TsaServer]:
    async with TsaServer.serving(FIRST) as server:
        yield server


@pytest.fixture
async def second() -> AsyncIterator[TsaServer]:
    async with TsaServer.serving(SECOND) as server:
        yield server


def asking(session: aiohttp.ClientSession, trust: TrustSnapshot, *names: str, timeout: float = 3.0) -> Authorities:
    settings = Timestamping(authorities=names, timeout_seconds=timeout)
    return Authorities(session, lambda: trust, StandingClock(), settings)


def both(first: TsaServer, second: TsaServer) -> TrustSnapshot:
    return trust_in_tsas(("one", first.url, FIRST.tsa.certificate), ("two", second.url, SECOND.tsa.certificate))


async def test_the_first_authority_is_asked_with_sha512_and_a_new_nonce(
    session: aiohttp.ClientSession, first: TsaServer, second: TsaServer
) -> None:
    trust = both(first, second)
    authorities = asking(session, trust)
    stamps = [await authorities.stamp(DATA) for _ in range(3)]
    assert {each.authority for each in stamps} == {"one"}
    assert not second.requests
    assert {each.message_imprint.hashed_message for each in first.requests} == {SHA512.digest(DATA)}
    assert len({each.nonce for each in first.requests}) == 3
    assert all(each.cert_req for each in first.requests)
    assert timestamp.verify(stamps[0].token, DATA, trust, AT).gen_time == stamps[0].at
    assert authorities.standings["one"].failure is None


@pytest.mark.parametrize("what", sorted(BAD))
async def test_an_authority_that_misbehaves_is_passed_over_and_the_reason_kept(
    session: aiohttp.ClientSession, first: TsaServer, second: TsaServer, what: str
) -> None:
    first.behaviour, reason = BAD[what]
    authorities = asking(session, both(first, second), timeout=0.3 if what == "slow" else 3.0)
    stamp = await authorities.stamp(DATA)
    assert stamp.authority == "two"
    failure = authorities.standings["one"].failure
    assert failure is not None
    assert reason in failure


async def test_when_all_fail_the_error_names_each_with_its_reason(
    session: aiohttp.ClientSession, first: TsaServer, second: TsaServer
) -> None:
    first.behaviour, second.behaviour = ERROR, BAD["rejection"][0]
    with pytest.raises(errors.TimestampingFailed, match=r"one: .*500.* \| two: .*not today"):
        await asking(session, both(first, second)).stamp(DATA)


async def test_the_timeout_is_total_and_for_each(
    session: aiohttp.ClientSession, first: TsaServer, second: TsaServer
) -> None:
    first.behaviour = second.behaviour = BAD["slow"][0]
    begun = time.monotonic()
    with pytest.raises(errors.TimestampingFailed, match="no answer within"):
        await asking(session, both(first, second), timeout=0.2).stamp(DATA)
    assert 0.4 <= time.monotonic() - begun < 2


async def test_nobody_listening_is_a_failure_with_a_reason(session: aiohttp.ClientSession) -> None:
    trust = trust_in_tsas(("one", "http://127.0.0.1:9/tsa", FIRST.tsa.certificate))
    with pytest.raises(errors.TimestampingFailed, match="no answer"):
        await asking(session, trust).stamp(DATA)


async def test_names_choose_and_order_authorities(
    session: aiohttp.ClientSession, first: TsaServer, second: TsaServer
) -> None:
    trust = both(first, second)
    assert (await asking(session, trust, "two", "one").stamp(DATA)).authority == "two"
    second.behaviour = ERROR
    assert (await asking(session, trust, "two", "one").stamp(DATA)).authority == "one"
    first.requests.clear()
    with pytest.raises(errors.TimestampingFailed):
        await asking(session, trust, "two").stamp(DATA)
    assert not first.requests


async def test_names_that_are_not_approved_are_told_with_those_that_are(
    session: aiohttp.ClientSession, first: TsaServer
) -> None:
    with pytest.raises(errors.TimestampingFailed, match="Approved are: one"):
        await asking(session, trust_in_tsas(("one", first.url, FIRST.tsa.certificate)), "tow").stamp(DATA)
    with pytest.raises(errors.TimestampingFailed, match="approves none"):
        await asking(session, trust_in_tsas()).stamp(DATA)
    assert not first.requests


async def test_the_pilot_authority_stamps(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    clock = SystemClock()
    made = pilot.new_authority(tmp_path / "authority", at=clock.now())
    certificate = made.tsa_certificate
    made.close()
    async with pilot.serving(tmp_path / "authority", clock) as url:
        trust = trust_in_tsas(("pilot", f"{url}/tsa", certificate))
        stamp = await Authorities(session, lambda: trust, clock, Timestamping()).stamp(DATA)
    assert timestamp.verify(stamp.token, DATA, trust, clock.now()).certificate == certificate
