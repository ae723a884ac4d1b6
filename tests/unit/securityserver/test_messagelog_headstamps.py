"""Time-stamps of tree heads: a head that was made anew has none that is over it, in time, by an approved authority."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from securityserver.messagelog import headstamps, treeheads
from securityserver.messagelog.tables import TIMESTAMP, TREE_HEAD
from securityserver.messagelog.treeheads import TreeHead
from securityserver.migrations import open_node_database
from serverkit.database import Database
from tests.support.pki import AT, DAY, Pki
from xroad.algorithms import SHA512

HEAD = TreeHead(3, bytes(32), AT, b"signature", b"certificate")


@pytest.fixture
def pki() -> Pki:
    return Pki.create()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_node_database(f"sqlite:///{tmp_path}/node.db")) as opened:
        yield opened


def kept(database: Database, head: TreeHead, token: bytes | None, at: datetime = AT) -> None:
    with database.transaction() as connection:
        number = treeheads.keep(connection, head)
        if token is not None:
            values = {"time": int(at.timestamp() * 1000), "token": token, "authority": "TSA", "tree_head_id": number}
            stamp = connection.execute(insert(TIMESTAMP).values(values).returning(TIMESTAMP.c.id)).scalar_one()
            connection.execute(update(TREE_HEAD).where(TREE_HEAD.c.id == number).values(timestamp_id=stamp))


def test_a_stamp_over_the_head_in_time_holds(database: Database, pki: Pki) -> None:
    kept(database, HEAD, pki.time_stamp(SHA512.digest(HEAD.signature), at=AT + timedelta(hours=5)))
    kept(database, replace(HEAD, size=4), None)
    found = headstamps.examine(database, pki.trust(), AT + DAY)
    assert (found.held, found.unknown, found.wrong) == (1, 0, [])


def test_a_head_that_was_made_anew_is_told(database: Database, pki: Pki) -> None:
    kept(database, replace(HEAD, signature=b"another"), pki.time_stamp(SHA512.digest(HEAD.signature), at=AT))
    (told,) = headstamps.examine(database, pki.trust(), AT + DAY).wrong
    assert "made anew" in told


def test_a_head_that_was_stamped_much_later_is_told(database: Database, pki: Pki) -> None:
    kept(database, HEAD, pki.time_stamp(SHA512.digest(HEAD.signature), at=AT + 2 * DAY))
    (told,) = headstamps.examine(database, pki.trust(), AT + 3 * DAY).wrong
    assert "may be younger" in told


def test_a_stamp_by_an_authority_of_no_standing_counts_for_nothing(database: Database, pki: Pki) -> None:
    kept(database, HEAD, Pki.create(label="Other").time_stamp(SHA512.digest(HEAD.signature), at=AT))
    found = headstamps.examine(database, pki.trust(), AT + DAY)
    assert (found.held, found.unknown, found.wrong) == (0, 1, [])
