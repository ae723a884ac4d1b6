"""Hash chains: how one signature or time-stamp covers many messages and their attachments, and each can prove it alone.

It refuses to know signatures, time-stamps and containers: digests in, chains out, and back.
A message with a body is signed through a chain for peers that do not take references to attachments; batch signatures
and batch time-stamps are chains over many messages (PR-SIGDOC; X-Road's hashchain.xsd).
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from xroad import errors, xmlsafe
from xroad.algorithms import SHA512, DigestAlgorithm, digest_by_uri
from xroad.ber import encode

SIG_HASH_CHAIN: Final = "/sig-hashchain.xml"
SIG_HASH_CHAIN_RESULT: Final = "/sig-hashchainresult.xml"
MESSAGE: Final = "/message.xml"
ATTACHMENT: Final = "/attachment"

MAX_BYTES = 1024 * 1024  # a chain of a message with 100 attachments is 30 kB; the bound is against being kept busy
MAX_STEPS = 100  # a tree over 2**64 messages needs 64 steps, and all attachments are in one; each step is a recursion

_HC = "{http://cyber.ee/hashchain}"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_NAMESPACES = 'xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:hc="http://cyber.ee/hashchain"'
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_TRANSFORMS = frozenset({xmlsafe.C14N, xmlsafe.C14N_EXCLUSIVE})

Resolve = Callable[[str], bytes | None]


def nothing_is_elsewhere(_name: str) -> bool:
    """Say of every file that it must be at hand."""
    return False


@dataclass(frozen=True, slots=True)
class DigestValue:
    """A digest and the algorithm that made it."""

    algorithm: DigestAlgorithm
    value: bytes


@dataclass(frozen=True, slots=True)
class HashChains:
    """The result, which is signed, and one chain for each message in the order of the messages."""

    result: bytes
    chains: tuple[bytes, ...]
    top: bytes


def build(
    messages: Sequence[Sequence[bytes]],
    algorithm: DigestAlgorithm = SHA512,
    *,
    chain_name: str = SIG_HASH_CHAIN,
    data_name: str = MESSAGE,
) -> HashChains:
    """Build one tree over messages; each is the digests of its parts: the message itself, then its attachments.

    Args:
        messages: at least one; a single message needs at least two parts, for else there is nothing to chain.
        algorithm: what made the digests and makes the tree.
        chain_name: the name of the chain's file, to which the result refers.
        data_name: the name of the first part's file.
    """
    if not messages or not all(messages) or (len(messages) == 1 and len(messages[0]) == 1):
        raise ValueError("a hash chain needs several messages, or one of several parts")
    leaves = [_Tree(_leaf_value(parts, algorithm), index) for index, parts in enumerate(messages)]
    tree = _grow(leaves, algorithm)
    method = f'Algorithm="{algorithm.uri}"'
    result = (
        f'{_HEAD}<hc:HashChainResult {_NAMESPACES} URI="{escape(chain_name)}#STEP0"><ds:DigestMethod {method}/>'
        f"{_digest_xml(tree.value)}</hc:HashChainResult>"
    )
    chains = tuple(_chain_xml(tree, index, parts, method, data_name) for index, parts in enumerate(messages))
    return HashChains(result.encode(), chains, tree.value)


def verify(
    result_xml: bytes,
    inputs: Mapping[str, DigestValue | None],
    resolve: Resolve,
    is_elsewhere: Callable[[str], bool] = nothing_is_elsewhere,
) -> None:
    """Hold that a hash chain leads from each input to its result; the caller verifies who signed the result.

    Args:
        result_xml: the HashChainResult document.
        inputs: by file name, what must be covered; None where `resolve` gives the bytes to digest.
        resolve: gives the bytes of a named file (the chain itself, data without a digest), None if there is none.
        is_elsewhere: tells of a file that is not at hand whether it is kept elsewhere, so that its digest in the chain
            stands for it, unverified; signed documents may leave attachments out. An input is never elsewhere.

    Raises:
        MalformedHashChain: not readable, or with loops.
        InvalidReference: a file that the chain names is not there.
        InvalidHashChainRef: a file's digest is not the one in the chain.
        InvalidHashChain: the calculation does not lead to the result.
        HashChainUnusedInputs: an input is not covered.
    """
    walk = _Walk(inputs, resolve, is_elsewhere)
    try:
        result = _parse(result_xml, "HashChainResult")
        algorithm = _method(result, None)
        expected = _digest_value(result)
        calculated = algorithm.digest(walk.step(_attribute(result, "URI"), None))
    except errors.InvalidXml as error:
        raise errors.MalformedHashChain(f"The hash chain is not readable: {error.detail}") from error
    if not hmac.compare_digest(calculated, expected):
        raise errors.InvalidHashChain(
            "The hash chain does not lead to its result: the message or the chain was altered."
        )
    unused = sorted(set(inputs) - walk.used)
    if unused:  # an attacker may sign a chain over something else and send it with this message
        raise errors.HashChainUnusedInputs(
            f"The hash chain does not cover {', '.join(unused)}: what it covers is not what was sent."
        )


@dataclass(frozen=True, slots=True)
class _Tree:
    """A node of the Merkle tree: a leaf has the index of its message, an inner node has two branches."""

    value: bytes
    index: int
    branches: "tuple[_Tree, _Tree] | None" = None


def _leaf_value(parts: Sequence[bytes], algorithm: DigestAlgorithm) -> bytes:
    return parts[0] if len(parts) == 1 else _combine([DigestValue(algorithm, part) for part in parts], algorithm)


def _grow(leaves: Sequence[_Tree], algorithm: DigestAlgorithm) -> _Tree:
    """Split at the largest power of two below the count, as X-Road's incomplete binary tree does."""
    if len(leaves) == 1:
        return leaves[0]
    middle = 1 << ((len(leaves) - 1).bit_length() - 1)
    left, right = _grow(leaves[:middle], algorithm), _grow(leaves[middle:], algorithm)
    pair = [DigestValue(algorithm, left.value), DigestValue(algorithm, right.value)]
    return _Tree(_combine(pair, algorithm), right.index, (left, right))


def _combine(digests: Sequence[DigestValue], algorithm: DigestAlgorithm) -> bytes:
    return algorithm.digest(digest_list(digests))


def digest_list(digests: Sequence[DigestValue]) -> bytes:
    """Return PR-SIGDOC's DigestList, DER: SEQUENCE OF SEQUENCE { digest, name of its method, no transforms }."""
    singles = (
        encode(0x30, encode(0x04, each.value) + encode(0x0C, each.algorithm.uri.encode()) + encode(0x30, b""))
        for each in digests
    )
    return encode(0x30, b"".join(singles))


def _chain_xml(tree: _Tree, index: int, parts: Sequence[bytes], method: str, data_name: str) -> bytes:
    steps = list(_steps(tree, index, parts, data_name))
    numbered = "".join(f'<hc:HashStep id="STEP{number}">{step}</hc:HashStep>' for number, step in enumerate(steps))
    return (f"{_HEAD}<hc:HashChain {_NAMESPACES}><hc:DefaultDigestMethod {method}/>{numbered}</hc:HashChain>").encode()


def _steps(tree: _Tree, index: int, parts: Sequence[bytes], data_name: str) -> Iterator[str]:
    number = 0
    while tree.branches is not None:
        left, right = tree.branches
        mine, other = (left, right) if index <= left.index else (right, left)
        number += 1
        own = f'<hc:StepRef URI="#STEP{number}"/>'
        if mine.branches is None and len(parts) == 1:
            own = _data_ref(data_name, mine.value)
        sibling = f"<hc:HashValue>{_digest_xml(other.value)}</hc:HashValue>"
        yield own + sibling if mine is left else sibling + own
        tree = mine
    if len(parts) > 1:
        names = (data_name, *(f"{ATTACHMENT}{each}" for each in range(1, len(parts))))
        yield "".join(_data_ref(name, part) for name, part in zip(names, parts, strict=True))


def _data_ref(name: str, digest: bytes) -> str:
    return f'<hc:DataRef URI="{escape(name)}">{_digest_xml(digest)}</hc:DataRef>'


def _digest_xml(digest: bytes) -> str:
    return f"<ds:DigestValue>{base64.b64encode(digest).decode()}</ds:DigestValue>"


@dataclass(frozen=True, slots=True)
class _Chain:
    """A parsed chain: its steps by id, and the digest method of values that name none."""

    name: str
    default: DigestAlgorithm | None
    steps: Mapping[str, etree._Element]


@dataclass(frozen=True, slots=True)
class _Walk:
    """One verification: which steps have been taken and which inputs were met."""

    inputs: Mapping[str, DigestValue | None]
    resolve: Resolve
    is_elsewhere: Callable[[str], bool]
    used: set[str] = field(default_factory=set)
    _taken: set[tuple[str, str]] = field(default_factory=set)
    _chains: dict[str, _Chain] = field(default_factory=dict)

    def step(self, uri: str, current: _Chain | None) -> bytes:
        """Return the DigestList of a step, with all that it refers to calculated."""
        base, _, fragment = uri.partition("#")
        chain = self._chain(base) if base and fragment else current
        if chain is None or not fragment or fragment not in chain.steps:
            raise errors.MalformedHashChain(f"The hash chain has no step {uri[:100]!r}.")
        # X-Road's chains take each step once: loops and steps that fan out would keep a server busy without end.
        if (chain.name, fragment) in self._taken or len(self._taken) >= MAX_STEPS:
            raise errors.MalformedHashChain("The hash chain takes a step twice, or has too many steps.")
        self._taken.add((chain.name, fragment))
        return digest_list([self._value(each, chain) for each in chain.steps[fragment]])

    def _chain(self, name: str) -> _Chain:
        if name not in self._chains:
            data = self.resolve(name)
            if data is None:
                raise errors.InvalidReference(f"The hash chain {name[:100]!r} is not part of the message.")
            self._chains[name] = _read_chain(name, data)
        return self._chains[name]

    def _value(self, element: etree._Element, chain: _Chain) -> DigestValue:
        algorithm = _method(element, chain.default)
        if element.tag == f"{_HC}HashValue":
            return DigestValue(algorithm, _digest_value(element))
        if element.tag == f"{_HC}StepRef":
            return DigestValue(algorithm, algorithm.digest(self.step(_attribute(element, "URI"), chain)))
        if element.tag == f"{_HC}DataRef":
            return self._data(element, algorithm)
        raise errors.MalformedHashChain("A hash step holds an element that hash chains do not have.")

    def _data(self, element: etree._Element, algorithm: DigestAlgorithm) -> DigestValue:
        uri = _attribute(element, "URI")
        given = self.inputs.get(uri)
        if uri in self.inputs:
            self.used.add(uri)
        if given is not None and given.algorithm == algorithm:
            return given  # the chain's own digest is not looked at: the result tells whether it was another
        data = self.resolve(uri)
        if data is None and uri not in self.inputs and self.is_elsewhere(uri):
            return DigestValue(algorithm, _digest_value(element))
        if data is None:
            raise errors.InvalidReference(f"The hash chain refers to {uri[:100]!r}, which is not part of the message.")
        digest = algorithm.digest(_transformed(element, data))
        if not hmac.compare_digest(digest, _digest_value(element)):
            raise errors.InvalidHashChainRef(f"The digest of {uri} is not the one in the hash chain: it was altered.")
        return DigestValue(algorithm, digest)


def _transformed(element: etree._Element, data: bytes) -> bytes:
    transforms = xmlsafe.optional_child(element, f"{_DS}Transforms")
    if transforms is None:
        return data
    transform = xmlsafe.child(transforms, f"{_DS}Transform")
    algorithm = _attribute(transform, "Algorithm")
    if algorithm not in _TRANSFORMS or len(transform):
        raise errors.UnsupportedAlgorithm(
            "A transform in the hash chain is not canonicalization; nothing else is allowed."
        )
    return xmlsafe.canonicalize(xmlsafe.parse(data), algorithm)


def _read_chain(name: str, data: bytes) -> _Chain:
    root = _parse(data, "HashChain")
    default = xmlsafe.optional_child(root, f"{_HC}DefaultDigestMethod")
    elements = xmlsafe.children(root, f"{_HC}HashStep")
    steps = {each.get("id", ""): each for each in elements}
    if len(steps) != len(elements):
        raise errors.MalformedHashChain("Two steps of the hash chain have the same id.")
    return _Chain(name, None if default is None else digest_by_uri(_attribute(default, "Algorithm")), steps)


def _parse(data: bytes, tag: str) -> etree._Element:
    root = xmlsafe.parse(data, max_bytes=MAX_BYTES)
    if root.tag != _HC + tag:
        raise errors.MalformedHashChain(f"The document is not a {tag}.")
    return root


def _method(element: etree._Element, default: DigestAlgorithm | None) -> DigestAlgorithm:
    method = xmlsafe.optional_child(element, f"{_DS}DigestMethod")
    if method is not None:
        return digest_by_uri(_attribute(method, "Algorithm"))
    if default is None:
        raise errors.MalformedHashChain("A value of the hash chain names no digest method, and there is no default.")
    return default


def _digest_value(element: etree._Element) -> bytes:
    try:
        return base64.b64decode(
            "".join(xmlsafe.text(xmlsafe.child(element, f"{_DS}DigestValue")).split()), validate=True
        )
    except (binascii.Error, ValueError) as error:
        raise errors.MalformedHashChain("A digest of the hash chain is not base64.") from error


def _attribute(element: etree._Element, name: str) -> str:
    value = element.get(name)
    if value is None:
        raise errors.MalformedHashChain(f"The element {xmlsafe.local_name(element)} lacks its {name}.")
    return value
