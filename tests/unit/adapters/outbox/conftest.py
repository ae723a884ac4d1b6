"""An outbox on each kind of database, the same for all tests of a module, and empty for each."""

from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from adapters.events import EventsStore, open_events
from adapters.events.tables import OUTBOX
from tests.support.outbox import KEY


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventsStore]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('outbox') / 'events.sqlite'}"
    else:
        url = request.getfixturevalue("postgresql_server").new_database()
    store = open_events(url, KEY, config="adapter.yaml")
    yield store
    store.database.close()


@pytest.fixture
def store(opened: EventsStore) -> EventsStore:
    opened.write_now(lambda connection: connection.execute(delete(OUTBOX)))
    return opened
