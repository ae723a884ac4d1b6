"""Stretches each PIN and client secret of the tests a few times instead of a thousand times; the cost stays as it is.

It refuses to make scrypt cheaper: tokens that tests make are opened by real processes too. Instead, salts go round in a
ring, and what was stretched once in a process is remembered. A test that is about salts asks for ``true_salts``.
"""

import hashlib
import secrets
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from typing import Any, Final

import pytest

from adapters.registry import tokens
from pki import token_index

# More than one, so that two tokens of one test do not share theirs.
_SALTS: Final = 3


class _Ring:
    """Stands for the module `secrets`, with salts that come again."""

    def __init__(self, salt_bytes: int) -> None:
        self._salt_bytes = salt_bytes
        self._salts = cycle([secrets.token_bytes(salt_bytes) for _ in range(_SALTS)])

    def __getattr__(self, name: str) -> Any:
        return getattr(secrets, name)

    def token_bytes(self, count: int) -> bytes:
        return next(self._salts) if count == self._salt_bytes else secrets.token_bytes(count)


class _Remembering:
    """Stands for the module `hashlib`: the same arguments give the same bytes."""

    scrypt = staticmethod(cache(hashlib.scrypt))

    def __getattr__(self, name: str) -> Any:
        return getattr(hashlib, name)


@pytest.fixture(autouse=True, scope="session")
def _stretched_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (token_index, tokens):
            patch.setattr(module, "hashlib", _Remembering())
            patch.setattr(module, "secrets", _Ring(module._SALT_BYTES))
        yield


@pytest.fixture
def true_salts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (token_index, tokens):
        monkeypatch.setattr(module, "secrets", secrets)
