"""Hash chains: what is built verifies, and nothing else does."""

import re
from collections.abc import Sequence
from itertools import product

import pytest
from lxml import etree

from tests.support.shared import need_shared
from xroad import errors, hashchain, xmlsafe
from xroad.algorithms import SHA256, SHA384, SHA512, DigestAlgorithm
from xroad.hashchain import ATTACHMENT, MESSAGE, SIG_HASH_CHAIN, DigestValue, HashChains

Message = Sequence[bytes]
HEAD = '<hc:HashChain xmlns:hc="http://cyber.ee/hashchain" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
METHOD = f'<hc:DefaultDigestMethod Algorithm="{SHA512.uri}"/>'
RESULT = (
    '<hc:HashChainResult xmlns:hc="http://cyber.ee/hashchain" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" '
    f'URI="/sig-hashchain.xml#STEP0"><ds:DigestMethod Algorithm="{SHA512.uri}"/>'
    "<ds:DigestValue>AAAA</ds:DigestValue></hc:HashChainResult>"
).encode()


def digest(text: str, algorithm: DigestAlgorithm = SHA512) -> bytes:
    return algorithm.digest(text.encode())


def messages(count: int, parts: int = 1) -> list[list[bytes]]:
    return [[digest(f"{number}.{part}") for part in range(parts)] for number in range(count)]


def inputs_of(message: Message, algorithm: DigestAlgorithm = SHA512) -> dict[str, DigestValue | None]:
    names = [MESSAGE, *(f"{ATTACHMENT}{number}" for number in range(1, len(message)))]
    return {name: DigestValue(algorithm, part) for name, part in zip(names, message, strict=True)}


def hold(
    result: bytes, chain: bytes, inputs: dict[str, DigestValue | None], files: dict[str, bytes] | None = None
) -> None:
    hashchain.verify(result, inputs, {SIG_HASH_CHAIN: chain, **(files or {})}.get)


def refuse(kind: type[errors.XRoadError], steps: str, *, result: bytes = RESULT, names: Sequence[str] = ()) -> None:
    chain = f"{HEAD}{METHOD}{steps}</hc:HashChain>".encode()
    with pytest.raises(kind):
        hold(result, chain, dict.fromkeys(names))


@pytest.mark.parametrize(("count", "parts"), [*product(range(2, 18), (1, 2)), (1, 2), (1, 5), (33, 3)])
def test_each_message_of_a_batch_verifies(count: int, parts: int) -> None:
    batch = messages(count, parts)
    built = hashchain.build(batch)
    assert len(built.chains) == count
    for message, chain in zip(batch, built.chains, strict=True):
        hold(built.result, chain, inputs_of(message))


@pytest.mark.parametrize("algorithm", [SHA256, SHA384, SHA512])
def test_each_digest(algorithm: DigestAlgorithm) -> None:
    batch = [[digest("a", algorithm), digest("b", algorithm)], [digest("c", algorithm)]]
    built = hashchain.build(batch, algorithm)
    hold(built.result, built.chains[0], inputs_of(batch[0], algorithm))
    hold(built.result, built.chains[1], inputs_of(batch[1], algorithm))


def test_a_chain_is_as_long_as_the_tree_is_deep() -> None:
    built = hashchain.build(messages(5))
    steps = [chain.count(b"<hc:HashStep ") for chain in built.chains]
    assert steps == [3, 3, 3, 3, 1]  # the orphan of an incomplete tree hangs directly under the root


def test_chains_of_other_messages_do_not_verify() -> None:
    batch = messages(4)
    built = hashchain.build(batch)
    with pytest.raises(errors.InvalidHashChain):
        hold(built.result, built.chains[1], inputs_of(batch[0]))


def test_validates_against_the_schema_of_x_road() -> None:
    schema = etree.XMLSchema(file=str(need_shared("standards/xroad-xsd/hashchain.xsd")))
    built: HashChains = hashchain.build(messages(3, 2))
    for document in (built.result, *built.chains):
        schema.assertValid(xmlsafe.parse(document))


@pytest.mark.parametrize("batch", [[], [[b"1"]], [[]], [[b"1"], []]])
def test_there_must_be_something_to_chain(batch: list[list[bytes]]) -> None:
    with pytest.raises(ValueError, match="several messages"):
        hashchain.build(batch)


def test_an_altered_part_is_refused() -> None:
    [message] = messages(1, 3)
    built = hashchain.build([message])
    with pytest.raises(errors.InvalidHashChain):
        hold(built.result, built.chains[0], inputs_of([*message[:2], digest("other")]))


def test_an_altered_sibling_is_refused() -> None:
    batch = messages(2)
    built = hashchain.build(batch)
    values = re.findall(rb"<ds:DigestValue>([^<]+)", built.chains[0])
    altered = built.chains[0].replace(values[1], values[0])
    with pytest.raises(errors.InvalidHashChain):
        hold(built.result, altered, inputs_of(batch[0]))


def test_an_uncovered_part_is_refused() -> None:
    [message] = messages(1, 2)
    built = hashchain.build([message])
    with pytest.raises(errors.HashChainUnusedInputs, match="/attachment2"):
        hold(built.result, built.chains[0], {**inputs_of(message), "/attachment2": DigestValue(SHA512, digest("x"))})


def test_a_part_that_was_not_sent_is_refused() -> None:
    [message] = messages(1, 2)
    built = hashchain.build([message])
    with pytest.raises(errors.InvalidReference):
        hold(built.result, built.chains[0], inputs_of(message[:1]))


def test_a_part_with_another_digest_is_resolved_or_refused() -> None:
    message = [digest("a"), digest("b")]
    built = hashchain.build([message])
    given = {**inputs_of(message), MESSAGE: DigestValue(SHA256, digest("a", SHA256))}
    with pytest.raises(errors.InvalidReference):
        hold(built.result, built.chains[0], given)
    hold(built.result, built.chains[0], given, {MESSAGE: b"a"})


def test_a_missing_chain_is_refused() -> None:
    built = hashchain.build(messages(2))
    with pytest.raises(errors.InvalidReference):
        hashchain.verify(built.result, {}, lambda _name: None)


def test_a_loop_is_refused() -> None:
    refuse(errors.MalformedHashChain, '<hc:HashStep id="STEP0"><hc:StepRef URI="#STEP0"/></hc:HashStep>')


def test_steps_that_fan_out_are_refused() -> None:
    doubled = "".join(
        f'<hc:HashStep id="STEP{number}"><hc:StepRef URI="#STEP{number + 1}"/><hc:StepRef URI="#STEP{number + 1}"/>'
        "</hc:HashStep>"
        for number in range(40)
    )
    refuse(errors.MalformedHashChain, f'{doubled}<hc:HashStep id="STEP40"/>')


def test_a_chain_of_absurd_length_is_refused() -> None:
    steps = "".join(
        f'<hc:HashStep id="STEP{number}"><hc:StepRef URI="#STEP{number + 1}"/></hc:HashStep>' for number in range(101)
    )
    refuse(errors.MalformedHashChain, f'{steps}<hc:HashStep id="STEP101"/>')


@pytest.mark.parametrize(
    "steps",
    [
        "",
        '<hc:HashStep id="STEP1"/>',
        '<hc:HashStep id="STEP0"/><hc:HashStep id="STEP0"/>',
        '<hc:HashStep id="STEP0"><hc:Other/></hc:HashStep>',
        '<hc:HashStep id="STEP0"><hc:StepRef/></hc:HashStep>',
        '<hc:HashStep id="STEP0"><hc:StepRef URI="STEP1"/></hc:HashStep>',
        '<hc:HashStep id="STEP0"><hc:HashValue/></hc:HashStep>',
        '<hc:HashStep id="STEP0"><hc:HashValue><ds:DigestValue>*</ds:DigestValue></hc:HashValue></hc:HashStep>',
    ],
)
def test_malformed_chains(steps: str) -> None:
    refuse(errors.MalformedHashChain, steps)


@pytest.mark.parametrize("result", [b"", b"<a/>", RESULT.replace(b"URI", b"X"), RESULT.replace(b"#STEP0", b"#STEP9")])
def test_malformed_results(result: bytes) -> None:
    refuse(errors.MalformedHashChain, '<hc:HashStep id="STEP0"/>', result=result)


def test_no_digest_method_is_malformed() -> None:
    chain = f'{HEAD}<hc:HashStep id="STEP0"><hc:StepRef URI="#S"/></hc:HashStep></hc:HashChain>'
    with pytest.raises(errors.MalformedHashChain, match="names no digest method"):
        hold(RESULT, chain.encode(), {})


def test_a_weak_digest_is_refused() -> None:
    weak = RESULT.replace(SHA512.uri.encode(), b"http://www.w3.org/2000/09/xmldsig#sha1")
    refuse(errors.UnsupportedAlgorithm, '<hc:HashStep id="STEP0"/>', result=weak)


@pytest.mark.parametrize(
    "transform",
    [
        '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>',
        f'<ds:Transform Algorithm="{xmlsafe.C14N}"><ds:XPath>//a</ds:XPath></ds:Transform>',
    ],
)
def test_only_canonicalization_transforms(transform: str) -> None:
    step = (
        f'<hc:HashStep id="STEP0"><hc:DataRef URI="/sig-hashchain.xml"><ds:Transforms>{transform}</ds:Transforms>'
        "<ds:DigestValue>AAAA</ds:DigestValue></hc:DataRef></hc:HashStep>"
    )
    refuse(errors.UnsupportedAlgorithm, step)


@pytest.mark.parametrize(
    "spoilt",
    [
        RESULT.replace(b"HashChainResult", b"HashChain"),
        RESULT.replace(b"/sig-hashchain.xml#", b"#"),
        RESULT.replace(b"#STEP0", b"#"),
    ],
)
def test_a_result_that_is_none_or_leads_nowhere(spoilt: bytes) -> None:
    assert spoilt != RESULT
    refuse(errors.MalformedHashChain, '<hc:HashStep id="STEP0"/>', result=spoilt)


def test_what_is_kept_elsewhere_stands_by_its_digest() -> None:
    message = [digest("a"), digest("b")]
    built = hashchain.build([message])
    files = {SIG_HASH_CHAIN: built.chains[0]}

    def is_elsewhere(name: str) -> bool:
        return name == "/attachment1"

    hashchain.verify(built.result, inputs_of(message[:1]), files.get, is_elsewhere)
    with pytest.raises(errors.InvalidReference):  # an input is never elsewhere
        hashchain.verify(built.result, {MESSAGE: None, "/attachment1": None}, files.get, lambda _name: True)
