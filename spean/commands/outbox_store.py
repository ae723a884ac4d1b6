"""Opens the tables of an adapter's events for a command about its outbox.

It refuses an adapter without events. The adapter may run meanwhile: it sees what the command did within a second.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.composition import open_events_store
from adapters.config import load_config
from adapters.errors import ConfigError, EventsError
from adapters.events import EventsStore
from spean.commands.common import told
from spean.errors import CommandError


@contextmanager
def outbox(config: Path) -> Iterator[EventsStore]:
    """Give the store until the block ends; its errors become the command's."""
    with told(ConfigError, EventsError):
        events = load_config(config).events
        if events is None:
            raise CommandError(f"{config} has no `events:` and so no outbox. ឯកសារនេះគ្មានព្រឹត្តិការណ៍ដែលត្រូវផ្ញើទេ។")
        store = open_events_store(events)
        try:
            yield store
        finally:
            store.database.close()
