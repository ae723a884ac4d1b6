"""Chance without a sequence: the answer to a question about a person is the same whoever asks, and in any order.

It refuses to be unpredictable; nothing secret may be made of it. Every register of the synthetic population draws from
its own subject, so that registers can be written apart, in parallel, or not at all, and still fit together.
"""

import zlib
from typing import Final

_MASK: Final = (1 << 64) - 1
_STEP: Final = 0x9E3779B97F4A7C15
_WHOLE: Final = 1 << 64


class Draws:
    """The draws of one subject, such as one register, under one seed."""

    __slots__ = ("_salt",)

    def __init__(self, seed: int, subject: str) -> None:
        self._salt = _mixed(seed * _STEP + zlib.crc32(subject.encode()))

    def bits(self, number: int, question: int = 0) -> int:
        """64 even bits about a number; callers that ask much cut them up."""
        return _mixed(self._salt + number * _STEP + question * 0xD1B54A32D192ED03)

    def chance(self, share: float, number: int, question: int = 0) -> bool:
        """Say yes for this share of numbers."""
        return self.bits(number, question) < share * _WHOLE

    def below(self, limit: int, number: int, question: int = 0) -> int:
        """A whole number from 0 to ``limit`` - 1."""
        return self.bits(number, question) * limit >> 64


def _mixed(value: int) -> int:
    """Steele, Lea and Flood's SplitMix64: each input bit turns half of the output bits."""
    value &= _MASK
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
    return value ^ value >> 31


def scattered(number: int, step: int, offset: int, size: int) -> int:
    """Give a number's place in a shuffled range: no two below ``size`` share one, as ``step`` and ``size`` are coprime.

    A key that is made so says nothing of the person's number, as a real registry's key would not.
    """
    return (number * step + offset) % size
