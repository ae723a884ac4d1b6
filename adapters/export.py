"""Writes a whole registry in the shared standard, record after record, with memory that does not grow.

It refuses to write a record that breaks its contract: that one is listed, with the reason and where staff find it.
What least data would withhold from others is not withheld here: the file is the institution's own, and private.
"""

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from adapters.mapping import CompiledMapping
from adapters.mapping.counting import RefusedRecord, standard
from adapters.source import Source

PRIVATE: Final = 0o600  # personal data of everybody in the registry
EVERY: Final = 500  # records between two looks at the progress

Tell = Callable[["Progress"], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an export is; ``total`` is None where the source cannot say how many records it has."""

    done: int
    refused: int
    total: int | None


async def export(source: Source, mapping: CompiledMapping, out: Path, tell: Tell) -> Progress:
    """Write ``out`` (one record a line) and ``out``.refused (one refused record a line: where and why).

    The files have their names only when they are whole.

    Raises:
        SourceError: the source does not answer, or cannot be read whole.
        OSError: the files cannot be written.
    """
    refused_file = refused_path(out)
    parts = [path.with_name(f"{path.name}.part") for path in (out, refused_file)]
    total, done, refused = await source.count(), 0, 0
    try:
        with ExitStack() as stack:
            good, bad = (stack.enter_context(_create(path)) for path in parts)
            async for placed in source.stream():
                reason = _write(good, mapping, placed.record)
                if reason is not None:
                    refused += 1
                    bad.write(json.dumps({"place": placed.place, "reason": reason}, ensure_ascii=False) + "\n")
                done += 1
                if done % EVERY == 0:
                    tell(Progress(done, refused, total))
        for part, path in zip(parts, (out, refused_file), strict=True):
            part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    found = Progress(done, refused, total)
    tell(found)
    return found


def refused_path(out: Path) -> Path:
    """Return where refused records are listed."""
    return out.with_name(f"{out.name}.refused")


def _write(out: TextIO, mapping: CompiledMapping, record: dict[str, Any]) -> str | None:
    """Write one record; return why it cannot be given in the standard, None when it can."""
    try:
        turned = standard(mapping, record)
    except RefusedRecord as error:
        return str(error)
    out.write(json.dumps(turned, ensure_ascii=False, separators=(",", ":")) + "\n")
    return None


def _create(path: Path) -> TextIO:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w", encoding="utf-8")
