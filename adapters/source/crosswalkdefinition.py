"""What a source file of kind ``crosswalk`` says: by which numbers the crosswalk may be asked.

It refuses tables and fields: what a record of a crosswalk has does not depend on the institution.
"""

from typing import Any, Final

from adapters.source.definition import SourceDefinition, check_definition, common

PATHS: Final = (
    "spid",
    "numbers.kind",
    "numbers.value",
    "entries.registry",
    "entries.kind",
    "entries.value",
    "updatedAt",
)
"""The fields of a local record: the SPID that counts, the registry's own numbers, and where else the person is."""


def crosswalk_definition(file: str, data: dict[str, Any]) -> SourceDefinition:
    """Read what the schema ``source-crosswalk`` has checked; raises :class:`ConfigError`."""
    definition = SourceDefinition(**common(file, data, data["timeout_ms"], PATHS))
    check_definition(definition)
    return definition
