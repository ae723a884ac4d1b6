"""A whole little instance in one process on loopback: authority, global configuration, two security servers, a backend.

    async with little_instance(directory) as instance:
        answer = await instance.ask("GET", "/echo")        # through consumer and provider
        instance.ocsp.status[serial] = "revoked"
        instance.middle.on_request = lambda raw: raw.replace(b"a", b"b")

Each instance has a loopback network of its own (127.x.y.0/24), so that all servers have X-Road's own ports and tests
run side by side. Between the two servers stands ``middle``: the consumer finds it at the provider's registered
address, and it holds both servers' keys, as an attacker with everything but the members' signing keys.
"""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from yarl import URL

from pki.pin import Pin
from pki.token import KeyInfo, KeyType, SoftwareToken, Usage
from securityserver.app import Node, SignerOf
from securityserver.commands import init_node
from securityserver.config import NodeConfig, load_config
from securityserver.internaltls import InternalKey
from securityserver.migrations import open_node_database
from securityserver.serverconf import apply, parse_services
from securityserver.tls import NO_CHECK_TIME
from tests.support import globalconf, pki
from tests.support.little import Backend, ConfigurationServer, Middle, OcspServer
from tests.support.tsa import TsaServer
from xroad.globalconf.anchor import build_anchor
from xroad.globalconf.parameters.model import Anchor, AnchorSource, MaintenanceMode
from xroad.identifiers import ClientId, SecurityServerId

INSTANCE: Final = "KH-SANDBOX"
PROVIDER: Final = SecurityServerId(INSTANCE, "GOV", "MOP", "SS1")
CONSUMER: Final = SecurityServerId(INSTANCE, "GOV", "NSAF", "SS3")
IDPOOR: Final = ClientId(INSTANCE, "GOV", "MOP", "IDPOOR")
PACKAGE: Final = ClientId(INSTANCE, "GOV", "NSAF", "FAMILY-PACKAGE")
# Registered like the others, with rights to nothing.
STRANGER: Final = ClientId(INSTANCE, "GOV", "NSAF", "STRANGER")
BY_HTTPS: Final = ClientId(INSTANCE, "GOV", "NSAF", "BY-HTTPS")
BY_CERTIFICATE: Final = ClientId(INSTANCE, "GOV", "NSAF", "BY-CERTIFICATE")
# As CamDX has it: digests of bodies are logged, and no bodies.
BODILESS: Final = ClientId(INSTANCE, "GOV", "NSAF", "BODILESS")
# In the consumer's server, and not in the global configuration.
UNREGISTERED: Final = ClientId(INSTANCE, "GOV", "NSAF", "UNREGISTERED")
# Registered at the provider's server, and not in its own configuration.
UNKNOWN_THERE: Final = ClientId(INSTANCE, "GOV", "MOP", "EMPTY")
# A member with a subsystem at the consumer's server and no key there.
KEYLESS: Final = ClientId(INSTANCE, "GOV", "NSSF", "MEMBERS")
PIN: Final = "little-instance-pin"


class ShiftedClock:
    """The machine's clock, moved; ``shift`` can be changed while a node runs."""

    def __init__(self, start: datetime = pki.AT) -> None:
        self.shift = start - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class Keys:
    """The keys of one server, outside of its node."""

    token: SoftwareToken
    auth: KeyInfo
    sign: KeyInfo


@dataclass(slots=True)
class Instance:
    """What a test may touch."""

    directory: Path
    network: str
    authority: pki.Pki
    source: globalconf.SigningSource
    backend: Backend
    ocsp: OcspServer
    configuration: ConfigurationServer
    tsa: TsaServer
    clock: ShiftedClock
    clocks: dict[SecurityServerId, ShiftedClock] = field(default_factory=dict)
    keys: dict[SecurityServerId, Keys] = field(default_factory=dict)
    configs: dict[SecurityServerId, NodeConfig] = field(default_factory=dict)
    nodes: dict[SecurityServerId, Node] = field(default_factory=dict)
    running: dict[SecurityServerId, AsyncExitStack] = field(default_factory=dict)
    http: aiohttp.ClientSession = field(init=False)
    middle: Middle = field(init=False)
    more_auth: list[x509.Certificate] = field(default_factory=list)
    more_client_auth: list[x509.Certificate] = field(default_factory=list)

    @property
    def consumer(self) -> Node:
        return self.nodes[CONSUMER]

    @property
    def provider(self) -> Node:
        return self.nodes[PROVIDER]

    @property
    def url(self) -> str:
        return f"http://{self.consumer.addresses.client_http[0]}"

    def address(self, last: int) -> str:
        return f"{self.network}.{last}"

    def by_https(self, certificate: Path | None = None) -> dict[str, Any]:
        """Options of ``ask`` for the HTTPS port, showing the certificate of a directory."""
        own = self.directory / CONSUMER.server_code / "data" / "internal-tls" / "certificate.pem"
        context = ssl.create_default_context(cafile=own)
        context.check_hostname = False
        # The clocks here are moved; OpenSSL's is not.
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | NO_CHECK_TIME)
        if certificate is not None:
            context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
        return {"base": f"https://{self.consumer.addresses.client_https[0]}", "ssl": context}

    def target(self, path: str = "", service: str = "echo", provider: ClientId = IDPOOR) -> str:
        return f"/r1/{provider}/{service}{path}"

    async def ask(
        self,
        method: str = "GET",
        path: str = "",
        *,
        service: str = "echo",
        client: str | ClientId = PACKAGE,
        headers: dict[str, str] | None = None,
        data: Any = None,
        base: str | None = None,
        **options: Any,
    ) -> "Answer":
        """Send a backend's request to the consumer's server."""
        url = URL((base or self.url) + self.target(path, service), encoded=True)
        wanted = {"X-Road-Client": str(client), **(headers or {})}
        async with self.http.request(
            method, url, headers=wanted, data=data, allow_redirects=False, **options
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    def publish(
        self, *, expires_at: datetime | None = None, provider_address: str | None = None, maintenance: bool = False
    ) -> None:
        """Sign the configuration anew; nodes see it at their next refresh."""
        own = (self.keys[PROVIDER].auth.certificate, *self.more_auth)
        certificates = [item for item in own if item is not None]
        shared = globalconf.shared_parameters(
            self.authority,
            members={
                "GOV/MOP": ("IDPOOR", "EMPTY"),
                "GOV/NSSF": ("MEMBERS",),
                "GOV/NSAF": ("FAMILY-PACKAGE", "STRANGER", "BY-HTTPS", "BY-CERTIFICATE", "BODILESS"),
            },
            servers=[
                globalconf.server(
                    "GOV/MOP/SS1",
                    address=provider_address or self.address(11),
                    auth=certificates,
                    clients=["GOV/MOP/IDPOOR", "GOV/MOP/EMPTY"],
                    maintenance=MaintenanceMode("back at noon") if maintenance else None,
                ),
                globalconf.server(
                    "GOV/NSAF/SS3",
                    address=self.address(13),
                    auth=[item for item in (self.keys[CONSUMER].auth.certificate, *self.more_client_auth) if item],
                    clients=[
                        "GOV/NSAF/FAMILY-PACKAGE",
                        "GOV/NSAF/STRANGER",
                        "GOV/NSAF/BODILESS",
                        "GOV/NSAF/BY-HTTPS",
                        "GOV/NSAF/BY-CERTIFICATE",
                        "GOV/NSSF/MEMBERS",
                    ],
                ),
            ],
            ocsp_url=self.ocsp.url,
            tsa_url=self.tsa.url,
        )
        expiry = expires_at or self.clock.now() + timedelta(hours=2)
        self.configuration.directory = self.source.publish(shared, expires_at=expiry)
        self.configuration.contents = dict(self.source.contents)

    async def refresh(self) -> None:
        """Have both nodes take the published configuration."""
        for node in self.nodes.values():
            await node.parts.trust.refresh()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the backend's programme got."""

    status: int
    headers: Any
    body: bytes


@asynccontextmanager
async def little_instance(
    directory: Path,
    *,
    key_type: KeyType = "ec-p256",
    limits: str = "",
    tune: Callable[[Instance], None] | None = None,
    signer: SignerOf | None = None,
) -> AsyncIterator[Instance]:
    """Build and run everything; ``limits`` are lines for the ``[limits]`` section of both nodes."""
    network = f"127.{secrets.randbelow(250) + 2}.{secrets.randbelow(254) + 1}"
    clock = ShiftedClock()
    authority = pki.Pki.create(at=pki.AT)
    async with AsyncExitStack() as up:
        instance = Instance(
            directory,
            network,
            authority,
            globalconf.SigningSource.create(),
            await up.enter_async_context(Backend.serving(f"{network}.3")),
            await up.enter_async_context(OcspServer.serving(f"{network}.2", authority, clock.now)),
            await up.enter_async_context(ConfigurationServer.serving(f"{network}.1")),
            await up.enter_async_context(TsaServer.serving(authority, clock.now, f"{network}.4")),
            clock,
        )
        instance.http = await up.enter_async_context(
            aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"))
        )
        _make_servers(instance, key_type, limits)
        if tune is not None:
            tune(instance)
        instance.publish()
        for server in (PROVIDER, CONSUMER):
            own = instance.running[server] = await up.enter_async_context(AsyncExitStack())
            running = Node.running(instance.configs[server], instance.clocks[server], signer=signer)
            instance.nodes[server] = await own.enter_async_context(running)
        instance.middle = await up.enter_async_context(Middle.standing(instance))
        yield instance


def _make_servers(instance: Instance, key_type: KeyType, limits: str) -> None:
    source = AnchorSource(f"{instance.configuration.url}/internalconf", (instance.source.certificate,))
    anchor = build_anchor(Anchor(INSTANCE, pki.AT, (source,)))
    for server, last, message in ((PROVIDER, 11, 12), (CONSUMER, 13, 13)):
        home = instance.directory / server.server_code
        home.mkdir()
        (home / "anchor.xml").write_bytes(anchor)
        (home / "pin").write_text(PIN)
        (home / "pin").chmod(0o600)
        toml = home / "NODE.toml"
        toml.write_text(_node_toml(server, instance.address(last), instance.address(message), limits))
        init_node(toml)
        instance.configs[server] = load_config(toml)
        instance.keys[server] = _make_keys(instance, server, home / "token", key_type)
        instance.clocks[server] = ShiftedClock()
        _apply(instance, server, home)


def _node_toml(server: SecurityServerId, address: str, message: str, limits: str) -> str:
    return f"""
[server]
id = "{server}"
anchor = "anchor.xml"
data = "data"
[token]
directory = "token"
pin_file = "pin"
[listen]
client_http = ["{address}:0"]
client_https = ["{address}:0"]
message = ["{message}:5500"]
ocsp = ["{message}:5577"]
metrics = ["{address}:0"]
[globalconf]
refresh_seconds = 3600
[limits]
shutdown_seconds = 5
{limits}
"""


def _make_keys(instance: Instance, server: SecurityServerId, directory: Path, key_type: KeyType) -> Keys:
    token = SoftwareToken.open(directory, Pin(PIN))
    auth = token.generate_key("auth", key_type, usage=Usage.AUTHENTICATION)
    sign = token.generate_key("sign", key_type, usage=Usage.SIGNING, member=server.owner)
    number = f"{INSTANCE}/{server.server_code}/{server.member_class}"
    subjects: dict[str, tuple[str, str, pki.Usage]] = {
        auth.id: (f"{server.server_code}.example", number, "auth"),
        sign.id: (server.member_code, number, "sign"),
    }
    infos = []
    for key in (auth, sign):
        common_name, serial_number, usage = subjects[key.id]
        certificate = certify(instance.authority, token.public_key(key.id), common_name, serial_number, usage)
        instance.ocsp.known[certificate.serial_number] = certificate
        infos.append(token.import_certificate(certificate.public_bytes(Encoding.PEM)))
    return Keys(token, infos[0], infos[1])


def certify(
    authority: pki.Pki,
    public_key: Any,
    common_name: str,
    serial_number: str,
    usage: pki.Usage,
    *,
    not_after: datetime | None = None,
) -> x509.Certificate:
    """Issue a certificate for a key that is elsewhere: the helper's own leaf, with the key exchanged."""
    subject = pki.name(common_name, serial_number=serial_number)
    pattern = pki.leaf(authority.issuer, subject, "ec-p256", authority.at, usage, not_after=not_after).certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(pattern.issuer)
        .public_key(public_key)
        .serial_number(pattern.serial_number)
        .not_valid_before(pattern.not_valid_before_utc)
        .not_valid_after(pattern.not_valid_after_utc)
    )
    for extension in pattern.extensions:
        if not isinstance(extension.value, x509.SubjectKeyIdentifier):
            builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(authority.issuer.key, hashes.SHA256())


def _apply(instance: Instance, server: SecurityServerId, home: Path) -> None:
    InternalKey(home / "client").create("backend", instance.clock.now())
    text = PROVIDER_SERVICES.format(backend=instance.backend.url) if server == PROVIDER else CONSUMER_SERVICES
    database = open_node_database(instance.configs[server].database)
    try:
        apply(database, parse_services(text, source="SERVICES.toml", base=home))
    finally:
        database.close()


PROVIDER_SERVICES: Final = f"""
[[client]]
id = "{IDPOOR}"
connection = "http"
[[client.service]]
code = "echo"
url = "{{backend}}/base"
timeout = 5
[[client.service.access]]
subject = "{PACKAGE}"
[[client.service.access]]
subject = "{BODILESS}"
[[client.service.access]]
subject = "{BY_HTTPS}"
[[client.service.access]]
subject = "{BY_CERTIFICATE}"
[[client.service]]
code = "impatient"
url = "{{backend}}/base"
timeout = 1
[[client.service.access]]
subject = "{PACKAGE}"
[[client.service]]
code = "gone"
url = "http://127.0.0.1:9"
timeout = 5
[[client.service.access]]
subject = "{PACKAGE}"
[[client.service]]
code = "off"
url = "{{backend}}/base"
timeout = 5
disabled = "closed for repair"
[[client.service.access]]
subject = "{PACKAGE}"
[[client.service]]
code = "partly"
url = "{{backend}}/base"
timeout = 5
[[client.service.access]]
subject = "{PACKAGE}"
method = "GET"
path = "/open/**"
"""

CONSUMER_SERVICES: Final = f"""
[[client]]
id = "{PACKAGE}"
connection = "http"
[[client]]
id = "{STRANGER}"
connection = "http"
[[client]]
id = "{BY_HTTPS}"
connection = "https-no-auth"
[[client]]
id = "{BY_CERTIFICATE}"
connection = "https"
tls_certificates = ["client/certificate.pem"]
[[client]]
id = "{BODILESS}"
connection = "http"
log = {{ requests = "none", responses = "none" }}
[[client]]
id = "{KEYLESS}"
connection = "http"
[[client]]
id = "{UNREGISTERED}"
connection = "http"
"""


@asynccontextmanager
async def kept_running(directory: Path, **options: Any) -> AsyncIterator[Instance]:
    """Run an instance in a task of its own: pytest leaves a fixture in another task, which task groups cannot."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[Instance] = loop.create_future()
    stop = asyncio.Event()

    async def run() -> None:
        try:
            async with little_instance(directory, **options) as instance:
                ready.set_result(instance)
                await stop.wait()
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    task = loop.create_task(run())
    try:
        yield await ready
    finally:
        stop.set()
        await task
