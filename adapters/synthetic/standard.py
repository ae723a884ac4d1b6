"""The synthetic registers in the shared standard, read by the programmes' own sources and mappings, without a server.

It refuses to know how they are matched: benchmarks and tests do. The two systems that are called are read as their
stand-ins would answer.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from sqlite3 import Row
from typing import Any, Final, NamedTuple

from adapters.mapping import compile_mapping, load_mapping
from adapters.mapping.counting import RefusedRecord, standard
from adapters.services import PROGRAMMES
from adapters.source import SqlSource, load_source
from adapters.source.connection import FilesConnection
from adapters.source.definition import SqlDefinition
from adapters.source.files import FilesSource
from adapters.synthetic.servers.pmrs import beneficiary
from adapters.synthetic.servers.rows import Rows

Record = dict[str, Any]


class Register(NamedTuple):
    """Where a register's persons are: its service's files, its database or folder, and the truth about it."""

    folder: str
    service: str  # what the names of source and mapping begin with; empty where they have plain names
    data: str
    truth: str


REGISTERS: Final = {
    "spr": Register("spr", "registration.", "spr.sqlite", "spr"),
    "idpoor": Register("idpoor", "", "idpoor.sqlite", "idpoor"),
    "nssf": Register("nssf", "", "nssf.sqlite", "nssf"),
    "nsaf-mothers": Register("nsaf-pregnancy", "pregnancies.", "nsaf_pregnancy.sqlite", "nsaf_pregnancy"),
    "nsaf-children": Register("nsaf-pregnancy", "children.", "nsaf_pregnancy.sqlite", "nsaf_pregnancy"),
    "family-package": Register(
        "nsaf-family-package", "enrolment.", "nsaf_family_package.sqlite", "nsaf_family_package"
    ),
    "pmrs": Register("pmrs", "beneficiary.", "pmrs.sqlite", "pmrs"),
    "scholarships": Register("moeys-scholarships", "scholarship.", "moeys_scholarships", "moeys_scholarships"),
    "school-feeding": Register("school-feeding", "meals.", "school_feeding", "school_feeding"),
    "disability": Register("mosvy-disability", "assessment.", "mosvy_disability.sqlite", "mosvy_disability"),
    "portal": Register("dspp", "applications.", "dspp.sqlite", "dspp"),
}
"""By the name that the crosswalk's file has for it."""
_SHAPES: Final[dict[str, tuple[str, Callable[[Row], Record]]]] = {
    "pmrs": ("SELECT * FROM beneficiary ORDER BY patient_no", beneficiary),
    "disability": ("SELECT * FROM disability_case ORDER BY CaseNo", dict),
}


def records(directory: Path, name: str) -> Iterator[Record]:
    """Yield the records of a register that the standard takes; others are left out, as an export leaves them out."""
    register = REGISTERS[name]
    files = PROGRAMMES / register.folder
    definition = load_source(files / f"{register.service}source.yaml")
    mapping = compile_mapping(load_mapping(files / f"{register.service}mapping.yaml"), definition.shape)
    for local in _local(directory, name, definition):
        try:
            yield standard(mapping, local)
        except RefusedRecord:
            continue


def _local(directory: Path, name: str, definition: Any) -> Iterator[Record]:  # noqa: ANN401  # of three kinds
    path = directory / REGISTERS[name].data
    if name in _SHAPES:
        statement, shape = _SHAPES[name]
        with closing(Rows(path)) as rows:
            yield from (shape(row) for row in rows.find(statement))
        return
    # The whole register is read at once, which an answer's time limit is not for.
    patient = replace(definition, timeout_ms=60_000)
    source = (
        SqlSource(patient, f"sqlite:///{path.resolve()}", password=None, connections=1)
        if isinstance(patient, SqlDefinition)
        else FilesSource(patient, FilesConnection("", path, directory / f"{path.name}.index"), connections=1)
    )
    with closing(source):
        for batch in source.batches():
            yield from (placed.record for placed in batch)
