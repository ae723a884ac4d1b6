"""The Merkle tree of an append-only log: hashes, proofs and their verification, as RFC 6962 section 2.1 defines them.

It refuses to know what a leaf stands for and where nodes are stored: hashes in, hashes out.
The message log keeps such a tree over its records, and an auditor verifies its proofs, with this module or another.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

HASH_BYTES: Final = 32
# Without a prefix of its own a leaf could be passed off as an inner node, and the other way round (RFC 6962, 2.1).
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
EMPTY_ROOT: Final = hashlib.sha256().digest()

Get = Callable[[int, int], bytes]
"""Gives the hash of a complete subtree: its level (leaves are 0), and its position among those of its level."""


class ProofInvalid(Exception):  # noqa: N818 - says what an auditor meets
    """A proof does not lead to the root that it should lead to."""


class Node(NamedTuple):
    """A complete subtree."""

    level: int
    position: int
    hash: bytes


def leaf_hash(data: bytes) -> bytes:
    """Give the hash of a leaf."""
    return hashlib.sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Give the hash of an inner node."""
    return hashlib.sha256(_NODE + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """What a log must remember to grow its tree: one hash for each complete subtree that has no sibling yet.

    Args:
        size: number of leaves.
        peaks: those subtrees, the largest (leftmost) first; one for each bit that is set in `size`.
    """

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    @classmethod
    def load(cls, size: int, get: Get) -> "Frontier":
        """Take up a tree of which the nodes are stored."""
        levels = [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]
        return cls(size, [get(level, (size >> level) - 1) for level in levels])

    def append(self, leaf: bytes) -> list[Node]:
        """Add a leaf (its hash), and give the subtrees that it completes, itself first."""
        nodes = [Node(0, self.size, leaf)]
        while self.size >> nodes[-1].level & 1:
            last = nodes[-1]
            nodes.append(Node(last.level + 1, last.position >> 1, node_hash(self.peaks.pop(), last.hash)))
        self.peaks.append(nodes[-1].hash)
        self.size += 1
        return nodes

    def root(self) -> bytes:
        """Give the hash over all leaves."""
        if not self.peaks:
            return EMPTY_ROOT
        *others, root = self.peaks
        for peak in reversed(others):
            root = node_hash(peak, root)
        return root


def root_of(get: Get, size: int) -> bytes:
    """Give the root of the first `size` leaves."""
    return _range(get, 0, size) if size else EMPTY_ROOT


def inclusion_proof(get: Get, index: int, size: int) -> list[bytes]:
    """Give the path from a leaf to the root of the first `size` leaves: PATH(m, D[n]) of RFC 6962, 2.1.1."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range(get, middle, end))
            end = middle
        else:
            path.append(_range(get, start, middle))
            start = middle
    return path[::-1]


def consistency_proof(get: Get, old: int, new: int) -> list[bytes]:
    """Give the proof that the first `old` leaves are the beginning of the first `new`: PROOF(m, D[n]) of 2.1.2."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} leaves is no beginning of one of {new}")
    proof: list[bytes] = []
    start, end, whole = 0, new, True
    while 0 < old < end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_range(get, middle, end))
            end = middle
        else:
            proof.append(_range(get, start, middle))
            start, whole = middle, False
    if old and not whole:
        proof.append(_range(get, start, end))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf (its hash) stands at a place of a tree (RFC 9162, 2.1.3.2).

    Raises:
        ProofInvalid: it does not, or the proof has hashes too many or too few.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"A tree of {size} leaves has no leaf {index}.")
    place, last, found = index, size - 1, leaf
    for step in proof:
        if not last:
            raise ProofInvalid("The proof has more hashes than the tree has levels.")
        if place & 1 or place == last:
            found = node_hash(step, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    if last or not hmac.compare_digest(found, root):
        raise ProofInvalid("The proof does not lead from the leaf to the root.")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a tree is the beginning of another (RFC 9162, 2.1.4.2).

    Raises:
        ProofInvalid: it is not, or the proof has hashes too many or too few.
    """
    if not 0 <= old <= new or (old in {0, new} and proof):
        raise ProofInvalid("Such sizes have no such proof.")
    if old == new and not hmac.compare_digest(old_root, new_root):
        raise ProofInvalid("Two trees of one size have different roots.")
    if 0 < old < new:
        _verify_growth(old, old_root, new, new_root, proof)


def _verify_growth(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    steps = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not steps:
        raise ProofInvalid("The proof is empty.")
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if not last:
            raise ProofInvalid("The proof has more hashes than the tree has levels.")
        if place & 1 or place == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, step)
        place, last = place >> 1, last >> 1
    if last or not (hmac.compare_digest(first, old_root) and hmac.compare_digest(second, new_root)):
        raise ProofInvalid("The proof does not lead from the old root to the new one.")


def _split(count: int) -> int:
    """Give the largest power of two below a count."""
    return 1 << (count - 1).bit_length() - 1


def _range(get: Get, start: int, end: int) -> bytes:
    """Give MTH(D[start:end]); `start` is a multiple of the power of two that covers the range."""
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return get(level, start >> level)
    middle = start + _split(count)
    return node_hash(_range(get, start, middle), _range(get, middle, end))
