"""What an administrator changes while the server runs: clients, services, access rights.

It refuses to know messages, and the instance's global configuration.
Pipelines ask its snapshot; commands and the admin API change it through one declaration.
"""

from securityserver.serverconf.access import ANY_METHOD, ANY_PATH, PathPattern
from securityserver.serverconf.bodylogging import BodyLogging, LogForm
from securityserver.serverconf.declaration import (
    AccessRight,
    ClientDeclaration,
    Connection,
    Declaration,
    Endpoint,
    LocalGroup,
    ServiceDeclaration,
    load_services,
    parse_services,
)
from securityserver.serverconf.export import export, to_toml
from securityserver.serverconf.snapshot import Client, ServerConf, Service
from securityserver.serverconf.store import Changes, ServerConfStore, apply, compare, read

__all__ = [
    "ANY_METHOD",
    "ANY_PATH",
    "AccessRight",
    "BodyLogging",
    "Changes",
    "Client",
    "ClientDeclaration",
    "Connection",
    "Declaration",
    "Endpoint",
    "LocalGroup",
    "LogForm",
    "PathPattern",
    "ServerConf",
    "ServerConfStore",
    "Service",
    "ServiceDeclaration",
    "apply",
    "compare",
    "export",
    "load_services",
    "parse_services",
    "read",
    "to_toml",
]
