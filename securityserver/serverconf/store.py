"""Makes a database match a declaration, and keeps a running node's snapshot up with its database.

It refuses to know files and exchanges.
The command line applies; the node follows, and its pipelines read one attribute.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Never, Self

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from securityserver.serverconf import rows
from securityserver.serverconf.declaration import AccessRight, ClientDeclaration, Declaration, ServiceDeclaration
from securityserver.serverconf.snapshot import ServerConf
from serverkit.database import Database
from serverkit.logs import get_logger

# Reading one integer so often costs nothing; an administrator sees a change within a second.
POLL_SECONDS = 0.4
_log = get_logger("serverconf")

_Facts = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Changes:
    """What `apply` did, in words; empty (false) when the database matched already."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def lines(self) -> list[str]:
        """Give one line a change, each with its sign."""
        signs = (("-", self.removed), ("+", self.added), ("~", self.changed))
        return [f"{sign} {what}" for sign, group in signs for what in group]


def apply(database: Database, declaration: Declaration) -> Changes:
    """Make the database match, all at once or not at all; doing it again changes nothing. Blocks.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refused; nothing has changed.
    """
    with database.transaction() as connection:
        before = rows.read_declaration(connection)
        changes = compare(before, declaration)
        if changes:
            _replace(connection, before, declaration)
            rows.raise_version(connection)
    return changes


def compare(before: Declaration, after: Declaration) -> Changes:
    """Tell what makes one declaration of the other."""
    old, new = _facts(before), _facts(after)
    return Changes(
        added=tuple(what for what in new if what not in old),
        removed=tuple(what for what in old if what not in new),
        changed=tuple(
            f"{what}: {', '.join(name for name in new[what] if new[what][name] != old[what][name])}"
            for what in new
            if what in old and new[what] != old[what]
        ),
    )


def read(database: Database) -> tuple[Declaration, int]:
    """Give the state that the database holds, and its number. Blocks."""
    with database.reading() as connection:
        return rows.read_declaration(connection), rows.read_version(connection)


class ServerConfStore:
    """A running node's view of its configuration.

    Args:
        database: the node's.
        current: the newest snapshot; reading this attribute is all that an exchange does.
    """

    def __init__(self, database: Database, current: ServerConf) -> None:
        self.current = current
        self._database = database

    @classmethod
    def load(cls, database: Database) -> Self:
        """Read the first snapshot. Blocks.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refused.
        """
        return cls(database, ServerConf(*read(database)))

    async def refresh(self) -> bool:
        """Read the configuration again if it has changed, and tell whether it had.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refused.
        """
        if await asyncio.to_thread(self._version) == self.current.version:
            return False
        self.current = await asyncio.to_thread(lambda: ServerConf(*read(self._database)))
        _log.info("serverconf_changed", version=self.current.version, clients=len(self.current.clients))
        return True

    async def follow(self) -> Never:
        """Keep up until cancelled; while the database cannot be read, the last snapshot stays."""
        failing = False
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.refresh()
            except SQLAlchemyError as error:
                if not failing:
                    _log.warning("serverconf_unreadable", exc_info=error)
                failing = True
            else:
                failing = False

    def _version(self) -> int:
        with self._database.reading() as connection:
            return rows.read_version(connection)


def _replace(connection: Connection, before: Declaration, after: Declaration) -> None:
    old = {client.id: client for client in before.clients}
    new = {client.id: client for client in after.clients}
    for identifier, client in old.items():
        if new.get(identifier) != client:
            rows.delete_client(connection, identifier)
    for identifier, client in new.items():
        if old.get(identifier) != client:
            rows.insert_client(connection, client)


def _facts(declaration: Declaration) -> _Facts:
    facts: dict[str, Mapping[str, object]] = {}
    for client in declaration.clients:
        facts[f"client {client.id}"] = {
            "connection": client.connection,
            "certificates": client.tls_certificates,
            "log": client.log,
        }
        facts |= {f"local group {client.id} {group.id}": {"members": group.members} for group in client.local_groups}
        facts |= _service_facts(client)
    return facts


def _service_facts(client: ClientDeclaration) -> _Facts:
    facts: dict[str, Mapping[str, object]] = {}
    for service in client.services:
        facts[f"service {service.id}"] = _settings(service)
        facts |= {
            _told(right, service): {} for right in sorted(service.access, key=lambda right: _told(right, service))
        }
    return facts


def _settings(service: ServiceDeclaration) -> Mapping[str, object]:
    return {
        "url": service.url,
        "timeout": service.timeout,
        "tls_certificate": service.tls_certificate,
        "disabled": service.disabled,
    }


def _told(right: AccessRight, service: ServiceDeclaration) -> str:
    kind = rows.kind_of(right.subject).replace("_", " ")
    return f"access of {kind} {right.subject} to {service.id}: {right.endpoint.method} {right.endpoint.path}"
