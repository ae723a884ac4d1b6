"""``spean contract docs``: writes the data dictionary as pages, or tells whether a folder of them is in step.

It refuses to write into a folder that holds anything else. The pages need Jinja2, which the extra ``docs`` installs.
"""

import argparse
from collections.abc import Mapping
from typing import Final

from contracts.dictionary import folder
from spean.commands.common import told
from spean.errors import CommandError

SHOWN: Final = 10  # pages that are named; more of them say no more


def run(arguments: argparse.Namespace) -> int:
    """Write or check; 1 when the folder is out of step."""
    pages = _pages()
    if arguments.check:
        return _check(pages, arguments)
    with told(folder.NotADictionary):
        folder.write(pages, arguments.folder)
    print(f"{len(pages)} files are in {arguments.folder}; open index.html there. សូមបើកឯកសារ index.html។")
    return 0


def _pages() -> Mapping[str, str]:
    try:
        from contracts.dictionary.pages import build  # noqa: PLC0415  # needs an extra that only this command needs
    except ModuleNotFoundError as problem:
        if problem.name != "jinja2":
            raise
        raise CommandError("The pages need Jinja2. Install it with: pip install 'spean[docs]'") from problem
    return build()


def _check(pages: Mapping[str, str], arguments: argparse.Namespace) -> int:
    different = folder.out_of_step(pages, arguments.folder)
    if not different:
        print(f"{arguments.folder} is in step with the standard. ទំព័រទាំងអស់ត្រូវនឹងស្តង់ដារ។")
        return 0
    for name in different[:SHOWN]:
        print(name)
    print(f"{len(different)} pages are out of step: run `spean contract docs {arguments.folder}`. ទំព័រមិនត្រូវនឹងស្តង់ដារទេ។")
    return 1
