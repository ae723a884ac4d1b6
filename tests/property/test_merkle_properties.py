import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xroad import merkle
from xroad.merkle import Frontier, ProofInvalid

SIZES = st.integers(min_value=1, max_value=130)


def split(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    middle = split(len(leaves))
    return hashlib.sha256(b"\1" + by_definition(leaves[:middle]) + by_definition(leaves[middle:])).digest()


def path_by_definition(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    middle = split(len(leaves))
    if index < middle:
        return [*path_by_definition(index, leaves[:middle]), by_definition(leaves[middle:])]
    return [*path_by_definition(index - middle, leaves[middle:]), by_definition(leaves[:middle])]


def subproof(old: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [by_definition(leaves)]
    middle = split(len(leaves))
    if old <= middle:
        return [*subproof(old, leaves[:middle], whole=whole), by_definition(leaves[middle:])]
    return [*subproof(old - middle, leaves[middle:], whole=False), by_definition(leaves[:middle])]


def data(size: int) -> list[bytes]:
    return [index.to_bytes(2, "big") for index in range(size)]


def grown(size: int) -> tuple[Frontier, dict[tuple[int, int], bytes]]:
    frontier, nodes = Frontier(), {}
    for item in data(size):
        for node in frontier.append(merkle.leaf_hash(item)):
            nodes[node.level, node.position] = node.hash
    return frontier, nodes


def getter(size: int) -> merkle.Get:
    nodes = grown(size)[1]
    return lambda level, position: nodes[level, position]


@given(size=st.integers(min_value=0, max_value=130))
def test_root_is_that_of_the_definition(size: int) -> None:
    frontier, nodes = grown(size)
    expected = by_definition(data(size))
    assert frontier.root() == expected
    assert merkle.root_of(lambda level, position: nodes[level, position], size) == expected
    again = Frontier.load(size, lambda level, position: nodes[level, position])
    assert (again.size, again.peaks) == (frontier.size, frontier.peaks)


@given(size=SIZES, choose=st.data())
def test_inclusion_proof_is_that_of_the_definition_and_verifies(size: int, choose: st.DataObject) -> None:
    index = choose.draw(st.integers(min_value=0, max_value=size - 1))
    whole = choose.draw(st.integers(min_value=size, max_value=size + 20))
    proof = merkle.inclusion_proof(getter(whole), index, size)
    assert proof == path_by_definition(index, data(size))
    merkle.verify_inclusion(merkle.leaf_hash(data(size)[index]), index, size, proof, by_definition(data(size)))


@given(size=SIZES, choose=st.data())
def test_consistency_proof_is_that_of_the_definition_and_verifies(size: int, choose: st.DataObject) -> None:
    old = choose.draw(st.integers(min_value=1, max_value=size))
    proof = merkle.consistency_proof(getter(size), old, size)
    assert proof == subproof(old, data(size), whole=True)
    merkle.verify_consistency(old, by_definition(data(old)), size, by_definition(data(size)), proof)
    assert merkle.consistency_proof(getter(size), 0, size) == []


@given(size=SIZES, choose=st.data())
def test_another_place_leaf_proof_or_root_is_refused(size: int, choose: st.DataObject) -> None:
    index = choose.draw(st.integers(min_value=0, max_value=size - 1))
    leaf, root = merkle.leaf_hash(data(size)[index]), by_definition(data(size))
    proof = merkle.inclusion_proof(getter(size), index, size)
    elsewhere = choose.draw(st.integers(min_value=-1, max_value=size + 1).filter(lambda other: other != index))
    spoiled = [hashlib.sha256(proof[0]).digest(), *proof[1:]] if proof else [leaf]
    for attempt in (
        (merkle.leaf_hash(b"other"), index, size, proof, root),
        (leaf, elsewhere, size, proof, root),
        (leaf, index, size, spoiled, root),
        (leaf, index, size, [*proof, root], root),
        (leaf, index, size, proof, leaf if proof else hashlib.sha256(leaf).digest()),
    ):
        with pytest.raises(ProofInvalid):
            merkle.verify_inclusion(*attempt)
    if proof:
        with pytest.raises(ProofInvalid):
            merkle.verify_inclusion(leaf, index, size, proof[:-1], root)


@given(size=st.integers(min_value=2, max_value=130), choose=st.data())
def test_a_tree_that_did_not_grow_from_another_is_refused(size: int, choose: st.DataObject) -> None:
    old = choose.draw(st.integers(min_value=1, max_value=size - 1))
    proof = merkle.consistency_proof(getter(size), old, size)
    old_root, new_root = by_definition(data(old)), by_definition(data(size))
    other = by_definition([b"x", *data(old)[1:]])
    for attempt in (
        (old, other, size, new_root, proof),
        (old, old_root, size, other, proof),
        (old, old_root, size, new_root, [*proof, other]),
        (old, old_root, size, new_root, proof[:-1]),
        (size, old_root, old, new_root, proof),
        (size, old_root, size, new_root, []),
    ):
        with pytest.raises(ProofInvalid):
            merkle.verify_consistency(*attempt)


def test_no_proof_for_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="no leaf 3"):
        merkle.inclusion_proof(getter(3), 3, 3)
    with pytest.raises(ValueError, match="no beginning"):
        merkle.consistency_proof(getter(3), 4, 3)


def test_known_roots() -> None:
    """The roots of the test tree that implementations of certificate transparency share."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    frontier = Frontier()
    for text in inputs:
        frontier.append(merkle.leaf_hash(bytes.fromhex(text)))
    assert frontier.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize(
    ("old", "new", "proof", "sentence"),
    [
        (0, 3, [bytes(32)], "no such proof"),
        (3, 3, [bytes(32)], "no such proof"),
        (3, 5, [], "is empty"),  # a power of two begins with its own root; another size has at least one hash
    ],
)
def test_a_proof_has_neither_hashes_for_nothing_nor_none(old: int, new: int, proof: list[bytes], sentence: str) -> None:
    with pytest.raises(merkle.ProofInvalid, match=sentence):
        merkle.verify_consistency(old, by_definition(data(old)), new, by_definition(data(new)), proof)
