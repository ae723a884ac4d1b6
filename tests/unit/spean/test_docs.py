"""The pages say what the code says: fault table, links, commands, and the two user targets of the Makefile."""

import re
from pathlib import Path
from typing import Final

import pytest

from spean import usage
from xroad.remedies import BY_CODE

ROOT: Final = Path(__file__).resolve().parents[3]
PAGES: Final = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def fault_table() -> str:
    """What docs/operations.md must hold between its two marks: copy it there when this test fails."""
    codes: dict[tuple[str, str], list[str]] = {}
    for code, remedy in BY_CODE.items():
        codes.setdefault((remedy.en, remedy.km), []).append(code)
    rows = [f"| {', '.join(f'`{code}`' for code in found)} | {en}<br>{km} |" for (en, km), found in codes.items()]
    return "\n".join(["| code ends in | what to do |", "| --- | --- |", *rows])


def test_the_fault_table_is_the_remedies_that_the_servers_give() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    shown = page.split("<!-- faults -->\n")[1].split("\n<!-- end of faults -->")[0]
    assert shown == fault_table()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_on_a_page_is_one_that_there_is(page: Path) -> None:
    known = {command.words for command in usage.COMMANDS}
    groups = {group.word for group in usage.GROUPS}
    named = re.findall(r"\bspean (\w+) (\w+)", page.read_text())
    assert {words for words in named if words[0] in groups} <= known


def test_the_readme_has_the_two_user_targets_and_the_makefile_has_them() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = readme.split("## Two commands")[1].split("```console\n")[1].split("```")[0].split("\n")
    assert [line for line in commands if line] == ["make demo", "make test"]
    assert {"demo:", "test:"} <= {line.split(" ")[0] for line in (ROOT / "Makefile").read_text().splitlines()}


def test_the_unit_starts_a_command_that_there_is() -> None:
    unit = (ROOT / "deploy" / "spean-node.service").read_text()
    words = re.findall(r"^ExecStart=\S+/spean (.*)$", unit, re.MULTILINE)[0].split()
    assert usage.build_parser().parse_args(words).handler == "spean.commands.node_run:run"
