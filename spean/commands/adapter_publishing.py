"""Opens what publishes for one service of an adapter, for commands that look for changes and load.

It refuses an adapter or service that publishes nothing. The adapter may run meanwhile: both work in transactions of one
database, and its relay sends what a command puts into the outbox.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.capture.assembly import publisher_of
from adapters.capture.publisher import Publisher
from adapters.composition import open_events_store
from adapters.config import AdapterConfig, load_config
from adapters.errors import CaptureStopped, ConfigError, EventsError, SourceError
from adapters.events import EventsStore
from adapters.source import Source, open_source
from spean.commands.adapter_service import chosen
from spean.commands.common import told
from spean.errors import CommandError


@dataclass(frozen=True, slots=True)
class Publishing:
    """What publishes."""

    config: AdapterConfig
    publisher: Publisher
    store: EventsStore
    source: Source


@contextmanager
def publishing(path: Path, code: str | None) -> Iterator[Publishing]:
    """Give it until the block ends; errors of adapters become the command's."""
    with told(ConfigError, SourceError, EventsError, CaptureStopped):
        config = load_config(path)
        services = tuple(each for each in config.services if each.publish is not None)
        if config.events is None or not services:
            raise CommandError(f"{path} publishes nothing: no service of it has `publish:`.")
        service = chosen(replace(config, services=services), code)
        store = open_events_store(config.events)
        source = open_source(service.source, config.connection)
        try:
            publisher = publisher_of(service, source, store, at_source=config.events.at_source)
            yield Publishing(config, publisher, store, source)
        finally:
            store.database.close()
