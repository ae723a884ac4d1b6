"""What all transforms are made of: the shape of a step, and how a value of the wrong kind is refused.

It refuses to repeat a value in an error. The modules of transforms import it; the engine names mapping, rule and path.
"""

from collections.abc import Callable
from typing import Any, Final

Step = Callable[[Any], Any]
KHMER_DIGITS: Final = {0x17E0 + digit: str(digit) for digit in range(10)}


class TransformError(Exception):
    """A value cannot be transformed; the message describes it without repeating it."""


class UnknownCode(TransformError):  # noqa: N818  # the record's fault, named by the engine
    """A value is not in the code list."""

    def __init__(self, code_list: str, code: object) -> None:
        super().__init__(f"unknown code in {code_list}")
        self.code_list = code_list
        self.code = code


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
