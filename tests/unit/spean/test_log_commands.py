"""An auditor lists and exports the message log, safely for the terminal and the spreadsheet."""

import csv
import io
import json
import shutil
import stat
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from bench import records as made
from securityserver.config import load_config
from securityserver.messagelog.tables import RECORD
from securityserver.migrations import open_node_database
from spean.cli import main
from spean.commands.log_lines import harmless, visible
from tests.support.anchors import an_anchor

COUNT = 1100  # more than one page of an export


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    (folder / "given.xml").write_bytes(an_anchor())
    config = folder / "node" / "NODE.toml"
    words = ["node", "init", str(config), "--server", "KH-PILOT/GOV/MOP/SS1", "--anchor", str(folder / "given.xml")]
    assert main(words) == 0
    with closing(open_node_database(load_config(config).database)) as database, database.transaction() as connection:
        made.fill(connection, 0, COUNT, COUNT)
    return config


@pytest.fixture
def node(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template.parent, tmp_path / "node")
    return tmp_path / "node" / template.name


def spoken(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["log", *words]) == 0
    return capsys.readouterr().out


def set_user(node: Path, value: str, record: int = 3) -> None:
    with closing(open_node_database(load_config(node).database)) as database, database.transaction() as connection:
        connection.execute(sa.update(RECORD).where(RECORD.c.id == record).values(user_id=value))


def test_lists_pages_as_a_table(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = spoken(capsys, "list", str(node), "--limit", "2").splitlines()
    assert lines[0].split() == ["time", "id", "side", "direction", "client", "service", "message_id", "outcome", "size"]
    assert [line.split()[1] for line in lines[1:3]] == ["1100", "1099"]
    place = lines[3].rpartition("--after ")[2]
    more = spoken(capsys, "list", str(node), "--limit", "2", "--after", place).splitlines()
    assert [line.split()[1] for line in more[1:3]] == ["1098", "1097"]
    assert "These are all" in spoken(capsys, "list", str(node), "--issue", "case-101")
    assert "No record fits" in spoken(capsys, "list", str(node), "--issue", "none")


FILTERS = [
    (["--message", made.query_id(5)], [12, 11]),
    (["--request", made.request_id(5), "--direction", "request"], [11]),
    (["--client", str(made.RARE)], [16, 15]),
    (["--client", str(made.RARE), "--service", str(made.SERVICE)], [16, 15]),
    (["--service", "KH-SANDBOX/GOV/MOP/IDPOOR/other"], []),
    (["--user", "officer-501"], []),
    (["--issue", "case-101", "--side", "consumer"], [204, 203]),
    (["--outcome", "500"], [1008, 8]),
    (["--from", "2026-07-01T07:00:00+07:00", "--to", "2026-07-01T01:00:00"], [2, 1]),
    (["--to", "2026-07-01"], []),
]


@pytest.mark.parametrize(("words", "ids"), FILTERS)
def test_each_filter_filters(node: Path, words: list[str], ids: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    lines = spoken(capsys, "list", str(node), "--format", "json", *words).splitlines()
    assert [json.loads(line)["id"] for line in lines] == ids


WRONG = [
    (["--client", "KH"], "wrong number of parts"),
    (["--service", "KH"], "INSTANCE/CLASS/MEMBER"),
    (["--from", "yesterday"], "2026-07-01"),
    (["--outcome", "bad"], "unanswered"),
    (["--after", "there"], "no place"),
]


@pytest.mark.parametrize(("words", "told"), WRONG)
def test_a_filter_that_makes_no_sense_is_used_wrongly(
    node: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["log", "list", str(node), *words]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["show", "9" * 30], ["show", "0"], ["show", "x"], ["prove", "9" * 30], ["list", "--limit", "0"]],
)
def test_a_number_that_no_log_counts_to_is_used_wrongly(node: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["log", words[0], str(node), *words[1:]])
    assert left.value.code == 2


def test_exports_everything_once_and_for_the_owner_only(node: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.csv"
    assert main(["log", "export", str(node), "--out", str(out)]) == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [int(row["id"]) for row in rows] == list(range(COUNT, 0, -1))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert main(["log", "export", str(node), "--out", str(out)]) == 1  # never overwritten


def test_exports_json_lines_to_the_screen(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = spoken(capsys, "export", str(node), "--format", "json", "--outcome", "500", "--to", "2026-07-02").split(
        "\n"
    )[:-1]
    record = json.loads(line)
    assert (record["id"], record["outcome"], record["user"], record["time_stamped"]) == (8, "500", None, False)
    assert not {"head", "body_data", "signature"} & set(record)


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "'=1", "＝1", '=cmd|"/c calc"!A1', "\n=1"]  # noqa: RUF001


@pytest.mark.parametrize("value", FORMULAS)
def test_no_stranger_writes_a_formula(node: Path, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_user(node, value)
    text = spoken(capsys, "export", str(node), "--to", "2026-07-01T06:00:00")
    cell = next(row["user"] for row in csv.DictReader(io.StringIO(text)) if row["id"] == "3")
    assert cell.startswith(("'", "\N{REPLACEMENT CHARACTER}"))


@pytest.mark.parametrize("value", ["\x1b[2J", "\x9b31m", "\u202eabc", "a\nb", "\x00"])
def test_no_stranger_steers_the_terminal(node: Path, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(open_node_database(load_config(node).database)) as database, database.transaction() as connection:
        connection.execute(sa.update(RECORD).where(RECORD.c.id == COUNT).values(query_id=value, user_id=value))
    for form in ("table", "json", "csv"):
        text = spoken(capsys, "list", str(node), "--limit", "1", "--format", form)
        assert not set(text) & set("\x1b\x9b\u202e\x00")


def test_khmer_is_seen_whole() -> None:
    name = "ស្រី\u200bសុខ"
    assert visible(name) == name


def test_cells_keep_their_kind() -> None:
    assert [harmless(each) for each in (None, True, False, 7, "7")] == ["", "yes", "no", 7, "7"]


def test_a_node_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "list", str(tmp_path / "NODE.toml")]) == 1
    assert "NODE.toml" in capsys.readouterr().err
