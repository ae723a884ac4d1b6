"""What one process claims of a database is free again as soon as it is released."""

from contextlib import closing

import pytest

from securityserver.migrations import open_node_database
from serverkit.database import DatabaseUnusable


def test_what_was_released_is_free_before_a_server_hears_that_its_connection_is_closed(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_node_database(postgresql_url)) as database:
        claim = database.claim("archive")
        with monkeypatch.context() as unheard:
            unheard.setattr(claim._connection, "close", lambda: None)  # type: ignore[attr-defined]
            claim.release()
        database.claim("archive").release()
        claim.release()


def test_what_is_claimed_is_nobody_elses_until_it_is_released(any_database: str) -> None:
    with closing(open_node_database(any_database)) as database:
        claim = database.claim("archive")
        with pytest.raises(DatabaseUnusable):
            database.claim("archive")
        database.claim("message log").release()
        claim.release()
        database.claim("archive").release()
