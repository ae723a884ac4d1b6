"""``spean outbox show``: tells everything about one row of the outbox; what is sealed only when asked for.

It refuses to overwrite a file. What is sealed holds personal data: it is for the institution's own staff.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapters.events.model import Document
from adapters.outbox import overview
from spean.commands.columns import columns
from spean.commands.common import PRIVATE, write_new
from spean.commands.log_lines import visible
from spean.commands.outbox_lines import KHMER, fields
from spean.commands.outbox_store import outbox

_SCREEN = "-"


def run(arguments: argparse.Namespace) -> int:
    """Print the row, and write its document where it was asked for."""
    with outbox(arguments.config) as store:
        found = store.read_now(lambda each: overview.open_row(each, store.key, arguments.number))
    told = fields(found.entry) | {"said": _said(found.result)}
    if arguments.json:
        print(json.dumps(told))
    else:
        state = f"{found.entry.state} {KHMER[found.entry.state]}"
        for line in columns(list(_rows(told | {"state": state}))):
            print(line)
    if arguments.document is not None:
        _write(arguments.document, found)
    return 0


def _rows(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    said = told.pop("said")
    for name, value in (told | said).items():
        if value is not None:
            yield name, visible(str(value))


def _said(result: Document | None) -> dict[str, Any]:
    """Tell what the receiver or staff said, without the values of conflicts."""
    if result is None:
        return {}
    if "dropped" in result:
        note = result["dropped"]
        return {"dropped_by": note["by"], "dropped_at": note["at"], "dropped_because": note["reason"]}
    conflicts = result.get("conflicts", ())
    names = ", ".join(str(each.get("field")) for each in conflicts if isinstance(each, dict)) or None
    return {"receiver_says": result.get("message") or result.get("status"), "conflicts": names}


def _write(where: str, found: overview.Opened) -> None:
    document = {"body": found.body, "access": found.access, "result": found.result}
    text = json.dumps(document, ensure_ascii=where != _SCREEN, indent=1)
    if where == _SCREEN:
        print("\n".join(visible(line) for line in text.splitlines()))
        return
    write_new(Path(where), f"{text}\n".encode(), mode=PRIVATE)
    print(f"{where} holds personal data: remove it when it is no longer needed.")
    print("ឯកសារនេះមានទិន្នន័យផ្ទាល់ខ្លួន៖ សូមលុបវាពេលលែងត្រូវការ។")
