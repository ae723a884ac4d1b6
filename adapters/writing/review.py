"""Looks at a write file and its mapping without any record: what is missing, and which records would be rejected.

It refuses to stop at the first finding. ``spean adapter check`` prints what it finds, and asks
:func:`adapters.writing.tables.table_problems` whether the database has what is named.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from adapters import yamlfile
from adapters.errors import ConfigError
from adapters.mapping.intake import intake_problems, read_intake, uncovered
from adapters.mapping.review import Finding, Level
from adapters.writing.definition import Absent, Gone, WriteDefinition
from adapters.writing.loading import load_write

_CORRECT: Final = "correct it; the page about writing describes every key"


def review_write(path: Path) -> Iterator[Finding]:
    """Yield everything that can be found without the database."""
    found = list(_intake(path))
    yield from found
    if any(each.level is Level.ERROR for each in found):
        return
    try:
        definition = load_write(path)
    except ConfigError as error:
        yield Finding(Level.ERROR, error.file, error.key, error.problem, _CORRECT)
        return
    yield from _definition(definition)


def _intake(path: Path) -> Iterator[Finding]:
    """All problems of the mapping at once, where loading it would stop at the first."""
    try:
        data = yamlfile.load(path, "write")
        mapping = read_intake(path.parent / data["mapping"])
    except ConfigError as error:
        yield Finding(Level.ERROR, error.file, error.key, error.problem, _CORRECT)
        return
    many = data["record"].get("many", {})
    fields = {
        *data["record"]["fields"],
        *(f"{name}.{field}" for name, each in many.items() for field in each["fields"]),
    }
    for key, problem in intake_problems(mapping, frozenset(fields), frozenset(many)):
        yield Finding(Level.ERROR, mapping.file, key, problem, "map it, ignore it with a reason, or declare it")
    for rule, name, missing in uncovered(mapping):
        problem = f"the list {name} does not know {', '.join(missing)}: a record with one of these is rejected"
        yield Finding(
            Level.WARNING, mapping.file, rule, problem, "add them, or use lookup with what to write otherwise"
        )


def _definition(definition: WriteDefinition) -> Iterator[Finding]:
    if not definition.gone_events:
        problem = "does not say what becomes of a record that is gone at the sender: its event is rejected"
        yield Finding(Level.NOTE, definition.file, "gone", problem, "declare gone: {events: […], do: …}")
    elif definition.gone is Gone.DELETE:
        yield Finding(
            Level.NOTE, definition.file, "gone.do", "deletes rows", "mark keeps who was here; see what you need"
        )
    for child in definition.children:
        if child.absent is Absent.REMOVE:
            problem = "removes rows that the sender does not send any more"
            yield Finding(
                Level.NOTE, definition.file, f"record.many.{child.path}.absent", problem, "see that all are sent"
            )
