"""``spean subscription answer``: writes what came back to a question that was answered later.

It refuses to write over a file, and to answer for others: only this adapter's own questions are known here.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from adapters.events.tables import REQUEST
from spean.commands.outbox_store import outbox
from spean.errors import CommandError

_OWNER_ONLY: Final = 0o600
_WAITS: Final = 3  # for programs: asked, and not answered yet


def run(arguments: argparse.Namespace) -> int:
    """Write the answer, or say that there is none yet."""
    with outbox(arguments.config) as store:
        row = store.read_now(lambda connection: _row(connection, arguments.message_id))
        if row is None:
            raise CommandError("This adapter asked no such question: `spean subscription ask` says its name.")
        told: dict[str, Any] = store.key.unseal(row.sealed)
    if "answer" not in told:
        print("There is no answer yet: see `spean outbox list`. មិនទាន់មានចម្លើយទេ។")
        return _WAITS
    _write(arguments.out, json.dumps(told["answer"], ensure_ascii=False, indent=1) + "\n")
    return 0


def _row(connection: Connection, message_id: str) -> Row[Any] | None:
    return connection.execute(select(REQUEST).where(REQUEST.c.message_id == message_id)).first()


def _write(out: str, text: str) -> None:
    if out == "-":
        print(text, end="")
        return
    try:
        descriptor = os.open(Path(out), os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"The answer is in {out}. It is personal data: only you can read it. ចម្លើយជាទិន្នន័យផ្ទាល់ខ្លួន។")
