"""Opens workbooks: the rows of one sheet, each cell as its stored value, or as a formula that was never calculated.

It refuses workbooks that are bombs or carry document types, and does not calculate: a formula has the value that the
program which wrote the file stored beside it. :mod:`adapters.source.tablefiles` reads columns out of the rows.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from enum import Enum
from pathlib import Path
from typing import IO, Any, Final

MAX_UNPACKED_BYTES: Final = 2 * 1024 * 1024 * 1024  # a workbook of a million pupils; more is a bomb
_LOOKED_AT: Final = 4096
_DOCTYPE: Final = b"<!DOCTYPE"
_FORMULA: Final = re.compile(rb"<(?:[A-Za-z0-9_]+:)?f[\s/>]")  # the element of a cell that holds one
_PIECE: Final = 1 << 20
_OVERLAP: Final = 64  # longer than any tag that the pattern finds

# What openpyxl and what it stands on raise for damaged files, found by damaging some; SyntaxError is the XML parser's.
_UNREADABLE: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, SyntaxError, EOFError, OSError, ValueError, LookupError, TypeError,
    AttributeError, ArithmeticError, RuntimeError,
)  # fmt: skip


class Unstored(Enum):
    """What a cell holds that has a formula and no value: whoever wrote the file did not calculate it."""

    FORMULA = "formula"


class FileProblem(Exception):  # noqa: N818  # what is wrong with a whole file
    """A file cannot be read as its source file describes it; the text is safe to show."""


def rows_of_sheet(path: Path, sheet: str | None) -> Iterator[Sequence[Any]]:
    """Yield the cells of each row, of the first sheet unless one is named; raises :class:`FileProblem`."""
    # An extra, and slow to load: only who reads workbooks needs it.
    from openpyxl.formula.tokenizer import TokenizerError  # noqa: PLC0415  # as above
    from openpyxl.formula.translate import TranslatorError  # noqa: PLC0415  # as above

    try:
        _refuse_bombs(path)
        yield from _with_formulas(path, sheet) if _has_formulas(path) else _values(path, sheet)
    except (*_UNREADABLE, TokenizerError, TranslatorError) as error:
        # `from None`: the library's messages may quote cells.
        raise FileProblem(f"is not a whole workbook ({type(error).__name__})") from None


def _values(path: Path, sheet: str | None) -> Iterator[Sequence[Any]]:
    with _opened(path, sheet, data_only=True) as page:
        yield from page.iter_rows(values_only=True)


def _with_formulas(path: Path, sheet: str | None) -> Iterator[Sequence[Any]]:
    """Read a workbook twice side by side: the library gives a cell's value or its formula, never both."""
    with _opened(path, sheet, data_only=True) as values, _opened(path, sheet, data_only=False) as formulas:
        for row, told in zip(values.iter_rows(), formulas.iter_rows(), strict=True):
            yield [_stored(value, formula) for value, formula in zip(row, told, strict=True)]


def _stored(cell: Any, formula: Any) -> Any:  # noqa: ANN401  # cells of the library
    """Return a cell's value; a formula whose value is the empty text is stored as the type `str` without one."""
    if cell.value is None and formula.data_type == "f" and cell.data_type != "str":
        return Unstored.FORMULA
    return cell.value


@contextmanager
def _opened(path: Path, sheet: str | None, *, data_only: bool) -> Iterator[Any]:
    from openpyxl import load_workbook  # noqa: PLC0415  # as in rows_of_sheet

    with closing(load_workbook(path, read_only=True, data_only=data_only, keep_links=False)) as book:
        if sheet is not None and sheet not in book.sheetnames:
            raise FileProblem(f"has no sheet {sheet!r}; it has {', '.join(book.sheetnames)}")
        chosen: Any = book[book.sheetnames[0] if sheet is None else sheet]
        chosen.reset_dimensions()  # some programs write a size that is not the sheet's
        yield chosen


def _has_formulas(path: Path) -> bool:
    """Tell whether any sheet has one: most have none, and need not be read twice."""
    with zipfile.ZipFile(path) as archive:
        return any(_holds_formula(archive.open(name)) for name in archive.namelist() if name.endswith(".xml"))


def _holds_formula(part: IO[bytes]) -> bool:
    with part:
        kept = b""
        while piece := part.read(_PIECE):
            looked = kept + piece.replace(b"\0", b"")  # in UTF-16 each second byte is zero
            if _FORMULA.search(looked):
                return True
            kept = looked[-_OVERLAP:]
    return False


def _refuse_bombs(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if sum(each.file_size for each in archive.infolist()) > MAX_UNPACKED_BYTES:
            raise FileProblem("unpacks to more than any registry needs")
        for name in archive.namelist():
            with archive.open(name) as part:
                # In UTF-16 each second byte is zero; an entity could hide there.
                if _DOCTYPE in part.read(_LOOKED_AT).replace(b"\0", b""):
                    raise FileProblem("has a document type in its XML, which no spreadsheet program writes")
