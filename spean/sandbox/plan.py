"""What the sandbox consists of: institutions, their identifiers, addresses and ports; here the three of the small one.

It refuses to create or start anything. Everything else in the sandbox reads its names and numbers here; the nine of the
full one are in :mod:`spean.sandbox.casts`.

X-Road's global configuration names a server by host only, and one message port holds for the whole instance. On one
computer, each node therefore has a loopback address of its own. It also listens on 127.0.0.1, with ports of its own,
for scripts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xroad.identifiers import ClientId, SecurityServerId

INSTANCE: Final = "KH-SANDBOX"
MEMBER_CLASS: Final = "GOV"
LOOPBACK: Final = "127.0.0.1"
DEFAULT_BASE_PORT: Final = 17600
"""Below the range from which systems take ports for outgoing connections, so that it is rarely taken."""

SEARCH_PATH: Final = "/registry/sync/search"
"""Where a DCI registry answers searches; the service's address is the part before it."""

_NODE_PORTS: Final = 10  # each institution's ports start at a round number, so that people can tell them apart
_ADAPTERS_AT: Final = 5  # of the institution's ports, those after its node's
_SOURCE_AT: Final = 8
PORT_COUNT: Final = 10 * _NODE_PORTS


@dataclass(frozen=True, slots=True)
class Service:
    """A registry that an institution provides: its code on the bus, and the programme whose adapter it is.

    ``registry`` is DCI's kind of registry, which decides the paths below the service.
    """

    code: str
    programme: str
    record: str = "Group"
    registry: str = "Social"


@dataclass(frozen=True, slots=True)
class Institution:
    """One member with one security server and one subsystem; ``number`` (1 to 9) gives its address and ports."""

    number: int
    name: str
    khmer: str
    member_code: str
    subsystem_code: str
    services: tuple[Service, ...] = ()

    @property
    def programmes(self) -> tuple[str, ...]:
        """The programmes whose adapters it runs."""
        return tuple(dict.fromkeys(each.programme for each in self.services))

    @property
    def key(self) -> str:
        """Name of its folders, logs and entries."""
        return self.member_code.lower()

    @property
    def member(self) -> ClientId:
        """The member's identifier."""
        return ClientId(INSTANCE, MEMBER_CLASS, self.member_code, None)

    @property
    def subsystem(self) -> ClientId:
        """The subsystem's identifier."""
        return ClientId(INSTANCE, MEMBER_CLASS, self.member_code, self.subsystem_code)

    @property
    def server(self) -> SecurityServerId:
        """The security server's identifier."""
        return SecurityServerId(INSTANCE, MEMBER_CLASS, self.member_code, "SS1")

    @property
    def address(self) -> str:
        """The address that the global configuration gives."""
        return f"127.0.0.{10 + self.number}"


HOUSEHOLD: Final = Service("household", "idpoor")
MEMBERSHIP: Final = Service("membership", "nssf", "SchemeMembership")
MOP: Final = Institution(1, "Ministry of Planning", "ក្រសួងផែនការ", "MOP", "IDPOOR", (HOUSEHOLD,))
NSSF: Final = Institution(2, "National Social Security Fund", "បេឡាជាតិសន្តិសុខសង្គម", "NSSF", "MEMBERS", (MEMBERSHIP,))
NSAF: Final = Institution(3, "National Social Assistance Fund", "បេឡាជាតិជំនួយសង្គម", "NSAF", "FAMILY-PACKAGE")
INSTITUTIONS: Final = (MOP, NSSF, NSAF)


@dataclass(frozen=True, slots=True)
class NodePorts:
    """The ports that one node has for itself, on 127.0.0.1."""

    client_http: int
    client_https: int
    message: int
    ocsp: int
    metrics: int


@dataclass(frozen=True, slots=True)
class Ports:
    """Every port of the sandbox, counted from one base."""

    base: int
    institutions: tuple[Institution, ...] = INSTITUTIONS
    sources: tuple[str, ...] = ()

    @property
    def message(self) -> int:
        """The instance's message port, on each node's own address."""
        return self.base

    @property
    def ocsp(self) -> int:
        """The instance's OCSP port, on each node's own address."""
        return self.base + 1

    @property
    def central(self) -> int:
        """The central server."""
        return self.base + 2

    @property
    def authority(self) -> int:
        """The certification authority's OCSP responder and time-stamps."""
        return self.base + 3

    @property
    def reservation(self) -> int:
        """No server's: the sandbox holds it, so that two that start at once do not take the same range."""
        return self.base + 4

    def adapter(self, programme: str) -> int:
        """The adapter of a programme."""
        owner = self._owner(programme)
        return self.node(owner).client_http + _ADAPTERS_AT + owner.programmes.index(programme)

    def source(self, programme: str) -> int:
        """The system that stands in for a programme's own, where that one is called."""
        return self.node(self._owner(programme)).client_http + _SOURCE_AT

    def node(self, institution: Institution) -> NodePorts:
        """The ports that a node has for itself."""
        first = self.base + institution.number * _NODE_PORTS
        return NodePorts(first, first + 1, first + 2, first + 3, first + 4)

    def listening(self) -> tuple[tuple[str, int], ...]:
        """Give every (host, port) that the sandbox will listen on."""
        shared = tuple((each.address, port) for each in self.institutions for port in (self.message, self.ocsp))
        single = [self.central, self.authority, *map(self.source, self.sources)]
        for each in self.institutions:
            own = self.node(each)
            single += [own.client_http, own.client_https, own.message, own.ocsp, own.metrics]
            single += map(self.adapter, each.programmes)
        return shared + tuple((LOOPBACK, port) for port in single)

    def _owner(self, programme: str) -> Institution:
        return next(each for each in self.institutions if programme in each.programmes)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies in the sandbox's folder."""

    root: Path

    @property
    def report(self) -> Path:
        """What a script needs to drive the sandbox."""
        return self.root / "sandbox.json"

    @property
    def authority(self) -> Path:
        """The certification authority's state."""
        return self.root / "authority"

    @property
    def authority_pin(self) -> Path:
        """The PIN of the authority's keys."""
        return self.root / "authority.pin"

    @property
    def central(self) -> Path:
        """The central server's configuration."""
        return self.root / "central" / "CENTRAL.toml"

    @property
    def anchor(self) -> Path:
        """The configuration anchor that the nodes start from."""
        return self.central.with_name("anchor.xml")

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.root / "logs"

    def node(self, institution: Institution) -> Path:
        """The node's configuration."""
        return self.root / "nodes" / institution.key / "NODE.toml"

    def services(self, institution: Institution) -> Path:
        """The node's clients, services and access rights."""
        return self.node(institution).with_name("SERVICES.toml")

    @property
    def state(self) -> Path:
        """What a later start must know; there once the folder is complete."""
        return self.root / "state.json"

    @property
    def registries(self) -> Path:
        """The folder of the programmes' databases."""
        return self.root / "registries"

    def adapter(self, programme: str) -> Path:
        """The configuration of a programme's adapter."""
        return self.root / "adapters" / f"{programme}.yaml"

    def secret(self, programme: str) -> Path:
        """What an adapter shows to the system that it calls."""
        return self.root / "adapters" / f"{programme}.secret"

    def log(self, process: str) -> Path:
        """The log file of one process."""
        return self.logs / f"{process}.log"
