"""While a slow token signs, messages that wait are signed together; each is evidence on its own all the same."""

import asyncio
from pathlib import Path

from pki.token import Signer, SoftwareToken
from securityserver.app import Node
from tests.support.instance import Instance, little_instance
from tests.support.slowsigner import SlowSigner
from xroad import evidence, xades

EXCHANGES = 64
SECONDS = 0.1


async def test_many_exchanges_need_few_signatures_of_a_slow_token_and_each_message_verifies(tmp_path: Path) -> None:
    signers: list[SlowSigner] = []

    def slow(token: SoftwareToken) -> Signer:
        signers.append(SlowSigner(token, SECONDS))
        return signers[-1]

    async with little_instance(tmp_path, signer=slow) as instance:
        # Half of them with a body: their signatures cover two parts each.
        answers = await asyncio.gather(
            *(instance.ask("POST", f"/{number}", data=b"x" * (number % 2)) for number in range(EXCHANGES))
        )
        assert [each.status for each in answers] == [200] * EXCHANGES
        made = sum(each.signatures for each in signers)
        assert 4 <= made <= EXCHANGES / 4  # 128 messages
        for node in (instance.consumer, instance.provider):
            assert await _verified(instance, node) == 2 * EXCHANGES


async def _verified(instance: Instance, node: Node) -> int:
    count = 0
    await node.parts.log.settled()
    async for each in node.parts.log.reader.iterate():
        signature = xades.SignatureData(each.signature, each.hash_chain_result, each.hash_chain)
        body = each.body_digest if each.body_size else None
        record = evidence.EvidenceRecord(evidence.Direction(each.direction.value), each.head, body, signature)
        evidence.judge(record, node.parts.trust.current(), instance.clock.now())
        count += 1
    return count
