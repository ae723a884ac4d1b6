"""Writes CENTRAL.toml from the records that it is read into, so that programmes can make and change one.

It refuses to keep comments and order of a file that a person wrote: it writes files that a programme owns.
The sandbox and `spean central init` write with it what `centralserver.config` reads.
"""

import dataclasses
import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from centralserver.config import CentralConfig


def dump_config(config: CentralConfig) -> str:
    """Give the TOML of a configuration; paths are written as they are, values that are the default are left out."""
    return "\n".join(_table(config, "")).lstrip("\n") + "\n"


def write_config(path: Path, config: CentralConfig) -> None:
    """Write a CENTRAL.toml in one step, so that a running central server never reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(dump_config(config), encoding="utf-8")
    temporary.replace(path)


def _table(record: Any, prefix: str) -> Iterator[str]:  # noqa: ANN401  any of the configuration's records
    entries = [
        (each.metadata.get("key") or each.name, getattr(record, each.name), each) for each in dataclasses.fields(record)
    ]
    written = [(key, value) for key, value, each in entries if value is not None and value != each.default]
    yield from (f"{key} = {_value(value)}" for key, value in written if not _is_nested(value))
    for key, value in written:
        if _is_nested(value):
            yield from _nested(f"{prefix}{key}", value)


def _nested(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401  a record or records
    single = dataclasses.is_dataclass(value)
    for record in (value,) if single else value:
        yield f"\n[{name}]" if single else f"\n[[{name}]]"
        yield from _table(record, f"{name}.")


def _is_nested(value: object) -> bool:
    """Records that are read from tables; identifiers and addresses are records too, and are read from text."""
    sample = value[0] if isinstance(value, tuple) and value else value
    return dataclasses.is_dataclass(sample) and not hasattr(sample, "parse")


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_value(each) for each in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return _text(str(value.value) if isinstance(value, Enum) else str(value))


def _text(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
