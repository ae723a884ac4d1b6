"""Archives by hand: what an administrator and an auditor type, and the sentence that each mistake gets."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from securityserver.config import load_config
from securityserver.messagelog.tables import RECORD
from securityserver.migrations import open_node_database
from spean.cli import main
from tests.support.anchors import an_anchor
from tests.support.archives import node_database, seed, some
from tests.support.containers import sample

Finder = Callable[[str], Path]


@pytest.fixture
def archives(shared: Finder) -> list[str]:
    return [str(shared(f"vectors/xroad/archive/message-archive-{number}.zip")) for number in (0, 1)]


@pytest.fixture
def node(tmp_path: Path) -> Path:
    (tmp_path / "anchor.xml").write_bytes(an_anchor())
    config = tmp_path / "node" / "NODE.toml"
    words = ["--server", "KH-PILOT/GOV/MOP/SS1", "--anchor", str(tmp_path / "anchor.xml")]
    assert main(["node", "init", str(config), *words]) == 0
    return config


def test_xroads_archives_verify_in_their_order(archives: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["archive", "verify", *archives]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].endswith("1 containers; begins a chain")
    assert "20 containers; continues mlog-20231023121255" in shown[1]
    assert re.fullmatch(r"last digest: [0-9a-f]{128}", shown[-1])


def test_a_directory_verifies_in_the_order_of_its_links(archives: list[str]) -> None:
    assert main(["archive", "verify", str(Path(archives[0]).parent)]) == 0


def test_the_second_verifies_after_the_digest_of_the_first(
    archives: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["archive", "verify", archives[0]]) == 0
    digest = capsys.readouterr().out.split()[-1]
    assert main(["archive", "verify", archives[1], "--after", digest]) == 0


@pytest.mark.parametrize("order", [(1, 0), (1,), (0, 0)])
def test_another_order_is_refused_with_the_reason(
    order: tuple[int, ...], archives: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["archive", "verify", *(archives[number] for number in order)]) == 1
    assert re.search("which is not the archive before it|given twice", capsys.readouterr().err)


def test_a_directory_without_archives_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["archive", "verify", str(tmp_path)]) == 1
    assert "no archive (*.zip)" in capsys.readouterr().err


def test_a_digest_that_is_none_is_told(archives: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["archive", "verify", archives[1], "--after", "abc"])
    assert "128 lower-case" in capsys.readouterr().err


def test_the_documents_of_an_archive_are_taken_out(
    archives: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "documents"
    assert main(["archive", "open", *archives, "--out", str(out)]) == 0
    assert "21 containers are in" in capsys.readouterr().out
    assert len(list(out.glob("*.asice"))) == 21
    # What is there is not replaced.
    assert main(["archive", "open", archives[0], "--out", str(out)]) == 1
    assert "-request-1.asice: it is there already" in capsys.readouterr().err


def test_a_node_without_a_place_for_archives_is_told(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["archive", "run", str(node)]) == 1
    assert "NODE.toml has no [archive]" in capsys.readouterr().err


def test_what_waits_is_archived_by_hand(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with node.open("a") as file:
        file.write('\n[archive]\ndirectory = "archives"\n')
    database = open_node_database(load_config(node).database)
    signature = sample("direct", "none").parts.signature.xml
    seed(database, *some(2, signature=signature))
    database.close()
    assert main(["archive", "run", str(node)]) == 0
    assert "2 records in 1 archives; 0 archived records removed." in capsys.readouterr().out
    assert main(["archive", "verify", str(node.parent / "archives")]) == 0
    out = node.parent / "documents"
    (archive,) = (node.parent / "archives").iterdir()
    assert main(["archive", "open", str(archive), "--out", str(out)]) == 0
    assert sorted(file.name for file in out.iterdir()) == ["q0-request-1.asice", "q1-request-2.asice"]


def test_an_archiver_at_work_is_told(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with node.open("a") as file:
        file.write('\n[archive]\ndirectory = "archives"\n')
    database = open_node_database(load_config(node).database)
    claim = database.claim("archive")
    try:
        assert main(["archive", "run", str(node)]) == 1
    finally:
        claim.release()
        database.close()
    assert "Another process archives" in capsys.readouterr().err


def test_the_search_for_what_waits_uses_its_index(tmp_path: Path) -> None:
    with node_database(tmp_path) as database, database.reading() as connection:
        query = RECORD.select().where(RECORD.c.archive_id.is_(None), RECORD.c.timestamp_id.is_not(None))
        text = str(query.order_by(RECORD.c.id).limit(1).compile(compile_kwargs={"literal_binds": True}))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
    assert "ix_log_record_unarchived" in str(plan)
