"""Opens the crosswalk that an adapter file names: its tables, their key, and what it declares.

It refuses a key that others can read. The service, the commands and whoever takes events open it the same way.
"""

from dataclasses import dataclass
from pathlib import Path

from adapters.crosswalk.definition import load_definition
from adapters.crosswalk.taking import Crosswalk
from adapters.events import EventsStore, load_events_key, open_events
from adapters.secretkeys import make_key
from adapters.services import located
from adapters.source.connection import CrosswalkConnection


@dataclass(frozen=True, slots=True)
class Opened:
    """A crosswalk and its database."""

    crosswalk: Crosswalk
    store: EventsStore


def open_crosswalk(connection: CrosswalkConnection) -> Opened:
    """Open the database, and make it and its key when there are none; blocks. Raises :class:`ConfigError`."""
    crosswalk = crosswalk_of(connection)
    password = None if connection.password is None else connection.password.read()
    store = open_events(connection.url, crosswalk.rows.key, config=connection.file, password=password)
    return Opened(crosswalk, store)


def crosswalk_of(connection: CrosswalkConnection) -> Crosswalk:
    """Make the crosswalk without opening its database, for whoever is in it already; raises :class:`ConfigError`."""
    make_key(connection.key_file)
    key = load_events_key(connection.key_file, config=connection.file)
    return Crosswalk(key, load_definition(declaration(connection)))


def declaration(connection: CrosswalkConnection) -> Path:
    """Return where the crosswalk is declared: beside the adapter file, or packaged."""
    return located(connection.folder, connection.declaration)
