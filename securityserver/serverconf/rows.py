"""Moves declarations between values and rows.

It refuses to know why they change: `store` compares, decides and commits.
Every function works inside the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import Connection as DatabaseConnection
from sqlalchemy import RowMapping, Table, delete, insert, select, update

from securityserver.serverconf import tables
from securityserver.serverconf.bodylogging import BodyLogging, LogForm
from securityserver.serverconf.declaration import (
    AccessRight,
    ClientDeclaration,
    Connection,
    Declaration,
    Endpoint,
    LocalGroup,
    ServiceDeclaration,
    Subject,
)
from xroad.identifiers import ClientId, GlobalGroupId, LocalGroupId, ServiceId, decode_segment

_CLIENT, _GLOBAL, _LOCAL = "client", "global_group", "local_group"
_READERS: Mapping[str, Callable[[str], Subject]] = {
    _CLIENT: ClientId.parse,
    _GLOBAL: lambda text: GlobalGroupId(*map(decode_segment, text.split("/"))),
    _LOCAL: lambda text: LocalGroupId(decode_segment(text)),
}


def read_version(connection: DatabaseConnection) -> int:
    """Give the number of the state that the database holds."""
    version: int = connection.execute(select(tables.VERSION.c.version)).scalar_one()
    return version


def raise_version(connection: DatabaseConnection) -> None:
    """Tell the readers in other processes that there is a new state."""
    connection.execute(update(tables.VERSION).values(version=tables.VERSION.c.version + 1))


def read_declaration(connection: DatabaseConnection) -> Declaration:
    """Give the state that the database holds."""
    certificates = _children(connection, tables.CLIENT_CERTIFICATE, "client_id")
    services = _children(connection, tables.SERVICE, "client_id")
    rights = _children(connection, tables.ACCESS_RIGHT, "service_id")
    groups = _children(connection, tables.LOCAL_GROUP, "client_id")
    members = _children(connection, tables.LOCAL_GROUP_MEMBER, "local_group_id")
    clients = []
    for row in connection.execute(select(tables.CLIENT)).mappings():
        number, client = row["id"], ClientId.parse(row["identifier"])
        found = [_service(client, service, rights[service["id"]]) for service in services[number]]
        local = [_local_group(group, members[group["id"]]) for group in groups[number]]
        clients.append(
            ClientDeclaration(
                id=client,
                connection=Connection(row["connection"]),
                tls_certificates=frozenset(certificate["der"] for certificate in certificates[number]),
                services=tuple(sorted(found, key=lambda service: str(service.id))),
                local_groups=tuple(sorted(local, key=lambda group: str(group.id))),
                log=BodyLogging(LogForm(row["log_requests"]), LogForm(row["log_responses"])),
            )
        )
    return Declaration.of(clients)


def delete_client(connection: DatabaseConnection, client: ClientId) -> None:
    """Remove a client with all that is below it."""
    connection.execute(delete(tables.CLIENT).where(tables.CLIENT.c.identifier == str(client)))


def insert_client(connection: DatabaseConnection, client: ClientDeclaration) -> None:
    """Write a client with all that is below it."""
    values = {
        "identifier": str(client.id),
        "connection": client.connection.value,
        "log_requests": client.log.requests.value,
        "log_responses": client.log.responses.value,
    }
    number = _insert(connection, tables.CLIENT, values)
    _insert_all(
        connection,
        tables.CLIENT_CERTIFICATE,
        [{"client_id": number, "der": der} for der in sorted(client.tls_certificates)],
    )
    for group in client.local_groups:
        _insert_group(connection, number, group)
    for service in client.services:
        _insert_service(connection, number, service)


def _insert_group(connection: DatabaseConnection, client: int, group: LocalGroup) -> None:
    number = _insert(connection, tables.LOCAL_GROUP, {"client_id": client, "code": group.id.group_code})
    members = [{"local_group_id": number, "member": name} for name in sorted(map(str, group.members))]
    _insert_all(connection, tables.LOCAL_GROUP_MEMBER, members)


def _insert_service(connection: DatabaseConnection, client: int, service: ServiceDeclaration) -> None:
    values = {
        "client_id": client,
        "code": service.id.service_code,
        "version": service.id.service_version or "",
        "url": service.url,
        "timeout": service.timeout,
        "tls_verify": 1,  # nobody reads it: services are always verified
        "tls_certificate": service.tls_certificate,
        "disabled": service.disabled,
    }
    number = _insert(connection, tables.SERVICE, values)
    _insert_all(connection, tables.ACCESS_RIGHT, [_right_row(number, right) for right in service.access])


def _right_row(service: int, right: AccessRight) -> Mapping[str, object]:
    return {
        "service_id": service,
        "subject_kind": kind_of(right.subject),
        "subject": str(right.subject),
        "method": right.endpoint.method,
        "path": right.endpoint.path,
    }


def kind_of(subject: Subject) -> str:
    """Tell what kind of subject it is, in the word that tables and files use."""
    if isinstance(subject, GlobalGroupId):
        return _GLOBAL
    return _LOCAL if isinstance(subject, LocalGroupId) else _CLIENT


def _service(client: ClientId, row: RowMapping, rights: Iterable[RowMapping]) -> ServiceDeclaration:
    return ServiceDeclaration(
        id=ServiceId(client, row["code"], row["version"] or None),
        url=row["url"],
        timeout=row["timeout"],
        tls_certificate=row["tls_certificate"],
        disabled=row["disabled"],
        access=frozenset(_right(right) for right in rights),
    )


def _right(row: RowMapping) -> AccessRight:
    return AccessRight(_READERS[row["subject_kind"]](row["subject"]), Endpoint(row["method"], row["path"]))


def _local_group(row: RowMapping, members: Iterable[RowMapping]) -> LocalGroup:
    return LocalGroup(LocalGroupId(row["code"]), frozenset(ClientId.parse(member["member"]) for member in members))


def _children(connection: DatabaseConnection, table: Table, parent: str) -> Mapping[int, list[RowMapping]]:
    found: dict[int, list[RowMapping]] = defaultdict(list)
    for row in connection.execute(select(table)).mappings():
        found[row[parent]].append(row)
    return found


def _insert(connection: DatabaseConnection, table: Table, values: Mapping[str, object]) -> int:
    number: int = connection.execute(insert(table).returning(table.c.id), values).scalar_one()
    return number


def _insert_all(connection: DatabaseConnection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        connection.execute(insert(table), rows)
