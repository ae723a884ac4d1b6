"""What all transforms are made of: the shape of a step, and how a value of the wrong kind is refused.

It refuses to repeat a value in an error. The modules of transforms import it; the engine names mapping, rule and path.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

Step = Callable[[Any], Any]
_CACHED: Final = 65_536  # days repeat: all living people were born on some 40,000 of them
_CACHED_LENGTH: Final = 32  # characters; a longer text is no day, and a cache of long texts is a leak
KHMER_DIGITS: Final = {0x17E0 + digit: str(digit) for digit in range(10)}


class TransformError(Exception):
    """A value cannot be transformed; the message describes it without repeating it."""


class UnknownCode(TransformError):  # noqa: N818  # the record's fault, named by the engine
    """A value is not in the code list."""

    def __init__(self, code_list: str, code: object) -> None:
        super().__init__(f"unknown code in {code_list}")
        self.code_list = code_list
        self.code = code


def remembered(step: Step) -> Step:
    """Return the same step, which remembers what it made of short texts that repeat."""
    cached = lru_cache(_CACHED)(step)
    return lambda value: cached(value) if type(value) is str and len(value) <= _CACHED_LENGTH else step(value)


def text_of(value: object) -> str:
    """Return a text; raises :class:`TransformError` for anything else."""
    if not isinstance(value, str):
        raise TransformError(f"text is needed, not a {type(value).__name__}")
    return value


def number_text(value: object) -> str:
    """Return a whole number as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TransformError("a code must be text or a whole number")
