"""Makes a source of a source file and a connection: the one place that knows all kinds.

It refuses a source file whose kind is not the connection's. Nothing is opened before the source is used.
The registry API and the command line call it and know only :class:`~adapters.source.protocol.Source` after that.
"""

from adapters.errors import ConfigError
from adapters.source.calls import CallSource
from adapters.source.connection import (
    Connection,
    CrosswalkConnection,
    FilesConnection,
    RestConnection,
    SoapConnection,
    SqlConnection,
)
from adapters.source.definition import SourceDefinition
from adapters.source.files import FilesSource
from adapters.source.protocol import Source, ThreadedSource
from adapters.source.rest import RestCaller
from adapters.source.soap import SoapCaller
from adapters.source.sql import SqlSource


def open_source(definition: SourceDefinition, connection: Connection, *, connections: int = 4) -> Source:
    """Return a source that opens lazily.

    Args:
        definition: what the source file says.
        connection: what ``source:`` of the adapter file says.
        connections: how many queries may run at once.

    Raises:
        ConfigError: the two do not fit together, or a secret's file cannot be read.
    """
    if definition.kind != connection.kind:
        raise ConfigError(
            definition.file, "kind", f"is {definition.kind}, but {connection.file} connects to {connection.kind}"
        )
    match connection:
        case SqlConnection(url=url, password=secret):
            password = None if secret is None else secret.read()
            core = SqlSource(definition, url, password=password, connections=connections)
            return ThreadedSource(core, threads=connections)
        case FilesConnection():
            return ThreadedSource(FilesSource(definition, connection, connections=connections), threads=connections)
        case RestConnection():
            return CallSource(definition, RestCaller(definition, connection), connections=connections)
        case SoapConnection():
            caller = SoapCaller(definition, connection, threads=connections)
            return CallSource(definition, caller, connections=connections)
        case CrosswalkConnection():
            # Loaded here: the crosswalk is made of sources too, and only its own adapter needs it.
            from adapters.crosswalk.source import CrosswalkSource  # noqa: PLC0415 - as above

            return ThreadedSource(CrosswalkSource(definition, connection), threads=connections)
