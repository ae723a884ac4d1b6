"""What is stamped is what X-Road's own verifier looks at."""

import pytest

from tests.support.signing import signed
from xroad import errors, hashchain, logstamps
from xroad.algorithms import SHA512
from xroad.hashchain import DigestValue


@pytest.mark.parametrize("chained", [False, True])
def test_one_signature_is_stamped_over_the_octets_of_its_value(chained: bool) -> None:  # noqa: FBT001 - a parameter
    each = signed("rsa-2048", chained=chained)
    stampable = logstamps.alone(each.xml)
    assert stampable.data == each.verify().value
    assert len(stampable.data) == 256
    assert (stampable.hash_chain_result, stampable.hash_chains) == (None, (None,))


def test_what_is_no_signature_cannot_be_stamped_alone() -> None:
    with pytest.raises(errors.XRoadError):
        logstamps.alone(b"<signature/>")


@pytest.mark.parametrize("count", [2, 3, 7, 64])
def test_each_of_several_signatures_is_proven_by_its_own_chain(count: int) -> None:
    documents = [f"<signature number='{number}'/>".encode() for number in range(count)]
    stampable = logstamps.together([SHA512.digest(each) for each in documents])
    assert stampable.data == stampable.hash_chain_result
    assert b'URI="/ts-hashchain.xml#STEP0"' in stampable.data
    for document, chain in zip(documents, stampable.hash_chains, strict=True):
        assert chain is not None
        files = {logstamps.TS_HASH_CHAIN: chain, logstamps.SIGNATURES: document}
        hashchain.verify(stampable.data, {logstamps.SIGNATURES: None}, files.get)
        other = DigestValue(SHA512, SHA512.digest(document + b" "))
        with pytest.raises(errors.XRoadError):
            hashchain.verify(stampable.data, {logstamps.SIGNATURES: other}, {logstamps.TS_HASH_CHAIN: chain}.get)


def test_nothing_is_chained_for_fewer_than_two() -> None:
    for digests in ([], [bytes(64)]):
        with pytest.raises(ValueError, match="several"):
            logstamps.together(digests)
