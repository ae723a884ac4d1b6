"""The PIN of a token, in a type that does not leak.

It refuses to know what the PIN opens. A PIN comes from a file, an environment variable or a prompt, never from the
command line, where every user of the machine can read it.
"""

import getpass
import hmac
import os
from pathlib import Path
from typing import Final, NoReturn

from pki.errors import PinRefused

LONGEST_PIN: Final = 128
"""Characters; a longer text is a wrong file, not a PIN."""
SHORTEST_NEW_PIN: Final = 6
"""Characters a new token asks for; the token's key derivation makes each guess slow, but not four digits strong."""
_OTHERS: Final = 0o007


class Pin:
    """A PIN that no log line, traceback or ``repr`` can show.

    Raises:
        PinRefused: it is empty, too long, or holds control characters.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not text:
            raise PinRefused("The PIN is empty: give the PIN that the token was created with.")
        if len(text) > LONGEST_PIN:
            raise PinRefused(f"The PIN has more than {LONGEST_PIN} characters: is this the right file?")
        if not text.isprintable():
            raise PinRefused(
                "The PIN holds a line break or a control character: write it on one line, with nothing after it."
            )
        self._text = text

    @classmethod
    def from_file(cls, path: Path) -> "Pin":
        """Read the PIN from a file of one line that other users of the machine cannot read.

        Raises:
            PinRefused: the file cannot be read, is open to everyone, or holds no PIN.
        """
        try:
            if path.stat().st_mode & _OTHERS:
                raise PinRefused(f"The PIN file {path} can be read by every user of this machine: run chmod 600 {path}")
            text = path.read_bytes()[: 4 * LONGEST_PIN + 2].decode()
        except OSError as error:
            raise PinRefused(f"The PIN file {path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError:
            # Not chained: the original error carries the file's bytes.
            raise PinRefused(f"The PIN file {path} is not UTF-8 text.") from None
        return cls(text.removesuffix("\n").removesuffix("\r"))

    @classmethod
    def from_environment(cls, name: str) -> "Pin":
        """Read the PIN from the environment variable ``name``.

        Raises:
            PinRefused: the variable is not set, or holds no PIN.
        """
        text = os.environ.get(name)
        if text is None:
            raise PinRefused(f"The environment variable {name} is not set: it must hold the token's PIN.")
        return cls(text)

    @classmethod
    def prompt(cls, question: str, *, confirm: bool = False) -> "Pin":
        """Ask on the terminal, without echo; twice with ``confirm``, for a new token.

        Raises:
            PinRefused: the two answers differ, or break a rule.
        """
        pin = cls(getpass.getpass(f"{question}: "))
        if confirm and pin != cls(getpass.getpass(f"{question} (again): ")):
            raise PinRefused("The two PINs differ: nothing was changed.")
        return pin

    def reveal(self) -> bytes:
        """Give the PIN as UTF-8, for key derivation only."""
        return self._text.encode()

    def require_strength(self) -> None:
        """Hold a new PIN to the rule for new tokens.

        Raises:
            PinRefused: it is too short.
        """
        if len(self._text) < SHORTEST_NEW_PIN:
            raise PinRefused(f"A new PIN needs at least {SHORTEST_NEW_PIN} characters.")

    def __repr__(self) -> str:
        return "Pin(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pin) and hmac.compare_digest(self.reveal(), other.reveal())

    def __hash__(self) -> NoReturn:
        raise TypeError("a PIN is not a key of a dictionary")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a PIN is not to be pickled")
