"""Turns one TOML value into the type that a setting declares.

It refuses to know files and tables: a nested table is handed back to the caller's reader.
`serverkit.config` calls it once per setting.
"""

import dataclasses
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Self, Union, get_args, get_origin

from xroad.errors import XRoadError

TableReader = Callable[[Mapping[str, object], type[Any], Path], Any]

_PLAIN: Mapping[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    datetime: "a date and time",
    date: "a date",
    time: "a time of day",
}


class Problem(Exception):  # noqa: N818 - becomes a ConfigError once the key and the file are known
    """A value breaks a rule; the key is completed on the way out."""

    def __init__(self, value: object, rule: str) -> None:
        super().__init__(rule)
        self.value, self.rule, self.key, self.secret = value, rule, "", False

    def under(self, outer: str) -> Self:
        """Put the name of the enclosing table, list or key before the key."""
        dot = "" if not self.key or self.key.startswith("[") else "."
        self.key = f"{outer}{dot}{self.key}"
        return self


def convert(raw: object, kind: Any, base: Path, table: TableReader) -> Any:  # noqa: ANN401 - types are data here
    """Give the value that `kind` asks for.

    Args:
        raw: what the TOML reader found.
        kind: the declared type.
        base: directory that relative paths are resolved against.
        table: reads a nested table into a dataclass.

    Raises:
        Problem: the value is not one of the type.
    """
    origin = get_origin(kind)
    if origin in (types.UnionType, Union):
        inner = next(option for option in get_args(kind) if option is not type(None))
        return convert(raw, inner, base, table)
    if origin is Literal:
        return _one_of(raw, get_args(kind))
    if origin in (tuple, frozenset):
        return origin(_items(raw, get_args(kind)[0], base, table))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(raw, get_args(kind)[1], base, table)
    return _single(raw, kind, base, table)


def _single(raw: object, kind: type[Any], base: Path, table: TableReader) -> object:
    if dataclasses.is_dataclass(kind) and not hasattr(kind, "parse"):
        if not isinstance(raw, dict):
            raise Problem(raw, "must be a table")
        return table(raw, kind, base)
    if kind in _PLAIN:
        return _plain(raw, kind)
    if issubclass(kind, Enum):
        return kind(_one_of(raw, tuple(member.value for member in kind)))
    if issubclass(kind, Path):
        return base / Path(_plain(raw, str)).expanduser()
    return _parsed(raw, kind)


def _plain(raw: object, kind: type[Any]) -> Any:  # noqa: ANN401 - as `convert`
    # TOML's booleans are integers to Python, and an integer is a fine float.
    fits = type(raw) is kind or (kind is float and type(raw) is int)
    if not fits:
        raise Problem(raw, f"must be {_PLAIN[kind]}")
    if kind is str and not str(raw).strip():
        raise Problem(raw, "must not be empty")
    return float(str(raw)) if kind is float else raw


def _parsed(raw: object, kind: type[Any]) -> object:
    text = _plain(raw, str)
    try:
        return kind.parse(text)
    except (ValueError, XRoadError) as error:
        rule = error.detail if isinstance(error, XRoadError) else str(error)
        raise Problem(raw, rule) from error


def _one_of(raw: object, allowed: tuple[object, ...]) -> object:
    if raw not in allowed:
        raise Problem(raw, f"must be one of {', '.join(map(str, allowed))}")
    return raw


def _items(raw: object, kind: object, base: Path, table: TableReader) -> list[object]:
    if not isinstance(raw, list):
        raise Problem(raw, "must be a list")
    return [_within(item, kind, base, table, f"[{index}]") for index, item in enumerate(raw, start=1)]


def _mapping(raw: object, kind: object, base: Path, table: TableReader) -> Mapping[str, object]:
    if not isinstance(raw, dict):
        raise Problem(raw, "must be a table")
    return types.MappingProxyType({key: _within(value, kind, base, table, key) for key, value in raw.items()})


def _within(raw: object, kind: object, base: Path, table: TableReader, place: str) -> object:
    try:
        return convert(raw, kind, base, table)
    except Problem as problem:
        raise problem.under(place) from problem.__cause__
