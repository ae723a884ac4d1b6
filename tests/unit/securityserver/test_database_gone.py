"""A node's database that is gone is missed, and not made anew in silence."""

from pathlib import Path

import pytest

from securityserver.migrations import open_node_database
from serverkit.database import DatabaseUnusable
from tests.support.messagelog import database_url, make_record, running_log


def remove(directory: Path, pattern: str) -> None:
    for file in directory.glob(pattern):
        file.unlink()


async def test_a_database_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    async with running_log(tmp_path) as log:
        await log.append(make_record())
    (tmp_path / "node.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(DatabaseUnusable, match=r"is gone.*node\.db-message-log\.lock is still there.*move node\.db-\*"):
        open_node_database(database_url(tmp_path))
    assert not (tmp_path / "node.db").exists()
    (tmp_path / "elsewhere.db").rename(tmp_path / "node.db")
    async with running_log(tmp_path) as log:
        assert len(await log.reader.find()) == 1


async def test_who_moved_the_traces_away_may_begin_anew(tmp_path: Path) -> None:
    async with running_log(tmp_path) as log:
        await log.append(make_record())
    remove(tmp_path, "node.db*")
    async with running_log(tmp_path) as log:
        assert await log.reader.find() == []


def test_what_a_killed_server_left_is_a_trace_too(tmp_path: Path) -> None:
    (tmp_path / "node.db-wal").write_bytes(b"what the kill left")
    with pytest.raises(DatabaseUnusable, match=r"node\.db-wal is still there"):
        open_node_database(database_url(tmp_path))
    assert (tmp_path / "node.db-wal").read_bytes() == b"what the kill left"


def test_who_comes_while_another_process_makes_the_database_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_node_database(database_url(tmp_path)).close()
    (tmp_path / "node.db-wal").touch()
    looks = iter([False])
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path, **_: next(looks, True) if path.name == "node.db" else exists(path))
    open_node_database(database_url(tmp_path)).close()
