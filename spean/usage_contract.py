"""The arguments of the commands about the shared standard.

It refuses to do what they do, as the table of commands in ``usage``, which names these functions.
"""

import argparse
from pathlib import Path
from typing import Final

from spean.usage_model import Command

_JSON: Final = "for programs"


def list_arguments(parser: argparse.ArgumentParser) -> None:
    """What to list."""
    parser.add_argument("family", nargs="?", metavar="FAMILY", help="only this family, such as dci or cambodia")
    parser.add_argument("--codes", action="store_true", help="the code lists instead of the records")
    parser.add_argument("--json", action="store_true", help=_JSON)


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """One contract or code list."""
    parser.add_argument("name", metavar="NAME[@VERSION]", help="a contract or code list, such as cambodia/person")
    parser.add_argument("version", nargs="?", metavar="VERSION", help="such as 1.0.0 (default: the newest)")
    parser.add_argument("--schema", action="store_true", help="the JSON Schema itself, as it is published")
    parser.add_argument("--examples", action="store_true", help="documents that it accepts and refuses, as JSON")


def validate_arguments(parser: argparse.ArgumentParser) -> None:
    """A contract and a document."""
    parser.add_argument("contract", metavar="NAME[@VERSION]", help="such as cambodia/person (default: the newest)")
    parser.add_argument("file", type=Path, metavar="FILE", help="a JSON document, or - for the standard input")
    parser.add_argument("--partial", action="store_true", help="fields may lack: an answer of which some were withheld")
    parser.add_argument("--json", action="store_true", help=_JSON)


def diff_arguments(parser: argparse.ArgumentParser) -> None:
    """Two versions."""
    for which in ("old", "new"):
        parser.add_argument(which, metavar=which.upper(), help="NAME@VERSION, a JSON file, or a folder of contracts")
    parser.add_argument(
        "--as",
        dest="role",
        choices=("answer", "request", "both"),
        default="both",
        help="answer: providers write it, consumers read it; request: the other way round (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help=_JSON)


def docs_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the pages go."""
    parser.add_argument("folder", type=Path, metavar="OUT", help="the folder of the pages; made when it is not there")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 when the folder is out of step")


COMMANDS: Final = (
    Command(
        ("contract", "list"),
        "spean.commands.contract_list:run",
        "list the records and code lists of the standard, with their versions",
        "បង្ហាញបញ្ជីកំណត់ត្រា និងបញ្ជីកូដ ព្រមទាំងកំណែ",
        ("spean contract list", "spean contract list cambodia", "spean contract list --codes"),
        list_arguments,
    ),
    Command(
        ("contract", "show"),
        "spean.commands.contract_show:run",
        "show the fields of a record, or the codes of a list",
        "បង្ហាញវាលនៃកំណត់ត្រា ឬកូដនៃបញ្ជី",
        ("spean contract show cambodia/person", "spean contract show dci/sex-category 1.0.0"),
        show_arguments,
    ),
    Command(
        ("contract", "validate"),
        "spean.commands.contract_validate:run",
        "say everything that is wrong with a document, without its values",
        "ពិនិត្យឯកសារ ហើយប្រាប់កំហុសទាំងអស់ ដោយមិនបង្ហាញតម្លៃ",
        (
            "spean contract validate cambodia/person person.json",
            "spean contract validate dci/sync-search-response@1.0.0 answer.json",
        ),
        validate_arguments,
    ),
    Command(
        ("contract", "diff"),
        "spean.commands.contract_diff:run",
        "say what changed between two versions, and whom it breaks",
        "ប្រៀបធៀបកំណែពីរ ហើយប្រាប់ថាការផ្លាស់ប្តូរណាប៉ះពាល់អ្នកប្រើ",
        (
            "spean contract diff cambodia/person@1.0.0 person-1.1.0.json",
            "spean contract diff contracts-of-last-year contracts --as answer",
        ),
        diff_arguments,
    ),
    Command(
        ("contract", "docs"),
        "spean.commands.contract_docs:run",
        "write the data dictionary as pages, in Khmer and English",
        "បង្កើតវចនានុក្រមទិន្នន័យ ជាទំព័រ ជាភាសាខ្មែរ និងអង់គ្លេស",
        ("spean contract docs dictionary", "spean contract docs dictionary --check"),
        docs_arguments,
    ),
)
