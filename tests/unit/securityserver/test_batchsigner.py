"""One signature over many messages while a token is slow, one each while it is fast, and nobody left waiting."""

import asyncio
import time
from datetime import timedelta

import pytest

from pki.errors import TokenError
from pki.token import KeyId
from securityserver import batchsigner
from securityserver.batchsigner import GATHERING_SHARE, REMEMBERED, SLOW_SECONDS, BatchSigner, SigningKey, ToSign
from tests.support.pki import AT, Issued, Pki
from tests.support.signing import MEMBER, digests, parts_of
from xroad import errors, xades
from xroad.algorithms import SignatureAlgorithm, default_algorithm

PKI = Pki.create()
SIGNING = PKI.issue_signing()
OTHER = PKI.issue_signing(member_code="NSAF")
TRUST = PKI.trust()


class Token:
    """Signs with keys by name, one call at a time a key is its promise; `seconds` each."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.calls = 0
        self.at_once = 0
        self.most_at_once = 0
        self.broken: Exception | None = None
        self.keys = {KeyId("sign"): SIGNING, KeyId("other"): OTHER}

    async def sign(self, key_id: KeyId, data: bytes, algorithm: SignatureAlgorithm) -> bytes:
        self.calls += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.seconds:
                await asyncio.sleep(self.seconds)
            if self.broken is not None:
                raise self.broken
            return algorithm.sign(self.keys[key_id].key, data)
        finally:
            self.at_once -= 1


def key_of(issued: Issued = SIGNING, name: str = "sign") -> SigningKey:
    return SigningKey(KeyId(name), issued.certificate, (), default_algorithm(issued.certificate.public_key()))


def message(number: int = 0, *, body: bytes | None = b"body", direct: bool = True) -> ToSign:
    parts = tuple(parts_of(f"head {number}".encode(), body))
    return ToSign(parts, tuple(PKI.chain_ocsp(SIGNING.certificate)), AT, direct)


def verify(signed: xades.SignatureData, of: ToSign) -> xades.VerifiedSignature:
    return xades.verify(
        signed.xml,
        digests(of.parts),
        TRUST,
        AT + timedelta(seconds=1),
        MEMBER,
        hash_chain_result=signed.hash_chain_result,
        hash_chain=signed.hash_chain,
    )


async def test_messages_that_wait_for_a_slow_token_share_one_signature_and_each_verifies_alone() -> None:
    token = Token(2 * SLOW_SECONDS)
    signer = BatchSigner(token)
    messages = [message(number, body=None if number % 3 else b"body") for number in range(33)]
    signed = await asyncio.gather(*(signer.sign(key_of(), each) for each in messages))
    assert token.calls == 2  # the first at once, and all others with the next
    for each, of in zip(signed, messages, strict=True):
        verify(each, of)
    assert len({each.hash_chain_result for each in signed}) == 2
    assert len({each.hash_chain for each in signed[1:]}) == 32


async def test_a_message_of_a_batch_does_not_verify_with_the_chain_of_another() -> None:
    signer = BatchSigner(Token(2 * SLOW_SECONDS))
    messages = [message(number) for number in range(4)]
    signed = await asyncio.gather(*(signer.sign(key_of(), each) for each in messages))
    with pytest.raises(errors.XRoadError):
        verify(signed[2]._replace(hash_chain=signed[3].hash_chain), messages[2])
    with pytest.raises(errors.XRoadError):
        verify(signed[2], messages[3])


async def test_a_fast_token_signs_each_message_alone_with_direct_references() -> None:
    token = Token(0)
    signer = BatchSigner(token)
    messages = [message(number) for number in range(20)]
    signed = await asyncio.gather(*(signer.sign(key_of(), each) for each in messages))
    assert token.calls == 20
    assert all(each.hash_chain is None and b"/attachment1" in each.xml for each in signed)


async def test_a_token_that_proves_fast_lets_all_go_that_waited_for_the_first_measurement() -> None:
    token = Token(SLOW_SECONDS / 10)
    signer = BatchSigner(token)
    signed = await asyncio.gather(*(signer.sign(key_of(), message(number)) for number in range(8)))
    assert token.calls == 8
    assert token.most_at_once == 7
    assert all(each.hash_chain is None for each in signed)


async def test_a_lone_message_never_waits_and_keeps_the_form_that_its_peer_reads() -> None:
    signer = BatchSigner(Token(2 * SLOW_SECONDS))
    await signer.sign(key_of(), message())
    begun = time.monotonic()
    direct = await signer.sign(key_of(), message())
    assert time.monotonic() - begun < 4 * SLOW_SECONDS
    chained = await signer.sign(key_of(), message(direct=False))
    assert direct.hash_chain is None
    assert chained.hash_chain is not None


async def test_after_a_batch_those_behind_the_first_are_awaited_and_only_then() -> None:
    token = Token(2 * SLOW_SECONDS)
    signer = BatchSigner(token)
    await asyncio.gather(*(signer.sign(key_of(), message(number)) for number in range(3)))
    token.calls = 0

    async def a_little_later(number: int) -> xades.SignatureData:
        await asyncio.sleep(GATHERING_SHARE * token.seconds / 4)
        return await signer.sign(key_of(), message(number))

    signed = await asyncio.gather(signer.sign(key_of(), message()), *(a_little_later(number) for number in range(3)))
    assert token.calls == 1
    assert len({each.hash_chain_result for each in signed}) == 1
    await signer.sign(key_of(), message())
    token.calls = 0
    await asyncio.gather(signer.sign(key_of(), message()), a_little_later(1))
    assert token.calls == 2  # the message before was alone, so nobody was awaited


async def test_one_call_at_a_time_for_a_key_of_a_slow_token_and_keys_do_not_wait_for_each_other() -> None:
    token = Token(2 * SLOW_SECONDS)
    signer = BatchSigner(token)
    asked = [signer.sign(key_of(), message(number)) for number in range(5)]
    await asyncio.gather(*asked, signer.sign(key_of(OTHER, "other"), message()))
    assert token.calls == 3
    assert token.most_at_once == 2


async def test_a_token_that_becomes_slow_is_found_out_and_one_that_recovers_too() -> None:
    token = Token(0)
    signer = BatchSigner(token)
    await signer.sign(key_of(), message())
    token.seconds = 1.5 * SLOW_SECONDS
    await asyncio.gather(*(signer.sign(key_of(), message()) for _ in range(REMEMBERED)))
    token.calls = 0
    await asyncio.gather(*(signer.sign(key_of(), message()) for _ in range(10)))
    assert token.calls == 2
    token.seconds = 0
    await signer.sign(key_of(), message())
    token.calls = 0
    await asyncio.gather(*(signer.sign(key_of(), message()) for _ in range(10)))
    assert token.calls == 10


async def test_a_token_that_fails_refuses_each_with_an_error_of_its_own_and_then_works_again() -> None:
    token = Token(2 * SLOW_SECONDS)
    signer = BatchSigner(token)
    token.broken = TokenError("it was pulled out")
    outcomes = await asyncio.gather(*(signer.sign(key_of(), message()) for _ in range(6)), return_exceptions=True)
    assert all(isinstance(each, errors.CannotSign) for each in outcomes)
    assert len({each.error_id for each in outcomes if isinstance(each, errors.CannotSign)}) == 6
    token.broken = None
    verify(await signer.sign(key_of(), message()), message())


async def test_a_defect_of_the_token_ends_with_the_one_that_met_it_and_nobody_waits_for_ever() -> None:
    token = Token(2 * SLOW_SECONDS)
    token.broken = ValueError("a defect")
    signer = BatchSigner(token)
    outcomes = await asyncio.gather(*(signer.sign(key_of(), message()) for _ in range(4)), return_exceptions=True)
    assert [type(each) for each in outcomes] == [ValueError] * 4


@pytest.mark.parametrize("leaving", [0, 1, 2])
@pytest.mark.parametrize("after", [0.5, 1.0, 1.5])
async def test_who_leaves_takes_nobody_along(leaving: int, after: float) -> None:
    token = Token(2 * SLOW_SECONDS)
    signer = BatchSigner(token)
    async with asyncio.timeout(20 * SLOW_SECONDS + 5), asyncio.TaskGroup() as group:
        tasks = [group.create_task(signer.sign(key_of(), message(number))) for number in range(5)]
        await asyncio.sleep(after * 2 * SLOW_SECONDS)
        tasks[leaving].cancel()
    for number, task in enumerate(tasks):
        if number != leaving or not task.cancelled():
            verify(task.result(), message(number))


async def test_a_turn_that_comes_as_its_heir_leaves_goes_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = BatchSigner(Token(2 * SLOW_SECONDS))
    tasks: list[asyncio.Task[xades.SignatureData]] = []
    pass_on = batchsigner._Queue.pass_on

    def pass_on_and_leave(queue: batchsigner._Queue) -> None:
        pass_on(queue)
        tasks[1].cancel()  # the heir has its turn, and has not run yet

    monkeypatch.setattr(batchsigner._Queue, "pass_on", pass_on_and_leave)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        tasks += [group.create_task(signer.sign(key_of(), message(number))) for number in range(3)]
    assert tasks[1].cancelled()
    verify(tasks[2].result(), message(2))


async def test_a_batch_carries_the_latest_time_and_responses() -> None:
    signer = BatchSigner(Token(2 * SLOW_SECONDS))
    times = [AT, AT + timedelta(milliseconds=30), AT + timedelta(milliseconds=10)]
    signed = await asyncio.gather(*(signer.sign(key_of(), message()._replace(at=each)) for each in times))
    assert verify(signed[2], message()).signing_time == times[1]
