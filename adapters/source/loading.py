"""Reads a source file of any kind: SQL tables, a service that is called, files in a folder, or the crosswalk.

It refuses a kind that it does not know, and a file that its kind's schema refuses, naming file, key and rule.
What is read is a :class:`~adapters.source.definition.SourceDefinition`; ``open_source`` makes a source of it.
"""

from pathlib import Path
from typing import Any, Final

from adapters import yamlfile
from adapters.source.calldefinition import call_definition
from adapters.source.crosswalkdefinition import crosswalk_definition
from adapters.source.definition import SourceDefinition, sql_definition
from adapters.source.filesdefinition import files_definition

_SCHEMAS: Final = {
    "sql": "source",
    "rest": "source-calls",
    "soap": "source-calls",
    "files": "source-files",
    "crosswalk": "source-crosswalk",
}
_READERS: Final = {
    "source": sql_definition,
    "source-calls": call_definition,
    "source-files": files_definition,
    "source-crosswalk": crosswalk_definition,
}


def load_source(path: Path) -> SourceDefinition:
    """Read a source file; raises :class:`ConfigError` naming file, key and problem."""
    return parse_source(yamlfile.read(path), name=str(path))


def parse_source(data: bytes, *, name: str) -> SourceDefinition:
    """As :func:`load_source`, from bytes."""
    document: dict[str, Any] = yamlfile.parse(data, _schema_of, name=name)
    return _READERS[_schema_of(document)](name, document)


def _schema_of(document: object) -> str:
    """An unknown kind is left to the first schema, whose message names what it allows."""
    kind = document.get("kind", "sql") if isinstance(document, dict) else "sql"
    return _SCHEMAS.get(kind, "source") if isinstance(kind, str) else "source"
