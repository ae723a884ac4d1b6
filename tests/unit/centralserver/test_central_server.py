import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from structlog.testing import capture_logs

from centralserver import follower
from centralserver.config import CentralConfig, MemberEntry, TlsEntry
from centralserver.server import Running, prepare
from pki.errors import WrongPin
from serverkit.config import ConfigError
from serverkit.http import Listen
from tests.support.globalconf import INSTANCE, client
from tests.support.pki import Pki
from xroad.globalconf.anchor import Anchor, parse_anchor
from xroad.globalconf.directory import SignedDirectory, SourceKind, verify_directory, versioned_url
from xroad.globalconf.parameters import WRITABLE_VERSIONS, parse_shared
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import Downloaded, load_directory, store
from xroad.identifiers import GlobalGroupId, SecurityServerId

Start = Callable[[Path], AbstractAsyncContextManager[Running]]
Change = Callable[..., CentralConfig]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "POLL_SECONDS", 0.05)


@pytest.fixture
async def web() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def fetch(web: aiohttp.ClientSession, url: str) -> bytes:
    async with web.get(url) as response:
        assert response.status == 200
        return await response.read()


async def status(web: aiohttp.ClientSession, url: str) -> int:
    async with web.get(url) as response:
        await response.read()
        return response.status


async def directory(
    web: aiohttp.ClientSession, anchor: Anchor, kind: SourceKind = SourceKind.INTERNAL, version: int = 6
) -> SignedDirectory:
    data = await fetch(web, versioned_url(anchor.sources[0].url, version))
    return verify_directory(data, anchor, datetime.now(UTC), kind=kind)


async def download(web: aiohttp.ClientSession, running: Running) -> TrustSnapshot:
    """Do as a node does: anchor, directory, parts, store, load."""
    anchor = parse_anchor(running.anchors.internal.read_bytes())
    signed = await directory(web, anchor)
    contents = {part.location: await fetch(web, part.url(anchor.sources[0].url)) for part in signed.parts}
    files = store(anchor.instance, [Downloaded(signed, contents)])
    return load_directory(files, datetime.now(UTC))


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  what is waited for happens in another process's place
            await asyncio.sleep(0.02)


def overwrite(path: Path, text: str) -> None:
    path.write_text(text)


async def test_a_node_gets_from_the_anchor_to_a_trust_snapshot(
    config_file: Path, central: Start, web: aiohttp.ClientSession, pki: Pki
) -> None:
    async with central(config_file) as running:
        trust = await download(web, running)
    server_id = SecurityServerId.parse(f"{INSTANCE}/GOV/MOP/SS1")
    assert trust.instance == INSTANCE
    assert [each.server_id for each in trust.servers_of(client("GOV/MOP/IDPOOR"))] == [server_id]
    assert trust.in_global_group(client("GOV/MOP/IDPOOR"), GlobalGroupId(INSTANCE, "registries"))
    assert trust.in_global_group(client("GOV/MOP"), GlobalGroupId(INSTANCE, "security-server-owners"))
    assert trust.subsystem_name(client("GOV/MOP/IDPOOR")) == "IDPoor"
    assert trust.ca_certificates() == (pki.ca_certificates[0],)
    assert trust.time_stamping_authorities[0].certificate == pki.tsa.certificate
    assert trust.expires_at - datetime.now(UTC) > timedelta(minutes=9)


async def test_the_registered_authentication_certificate_is_known(
    config_file: Path, central: Start, web: aiohttp.ClientSession, tmp_path: Path
) -> None:
    certificate = x509.load_pem_x509_certificate((tmp_path / "ss1.pem").read_bytes())
    async with central(config_file) as running:
        trust = await download(web, running)
    found = trust.server_of_auth_certificate(certificate.public_bytes(Encoding.DER))
    assert found == SecurityServerId.parse(f"{INSTANCE}/GOV/MOP/SS1")


@pytest.mark.parametrize("version", sorted(WRITABLE_VERSIONS))
async def test_each_version_is_published_for_members_and_for_partners(
    version: int, config_file: Path, central: Start, web: aiohttp.ClientSession
) -> None:
    async with central(config_file) as running:
        for path, kind in (
            (running.anchors.internal, SourceKind.INTERNAL),
            (running.anchors.external, SourceKind.EXTERNAL),
        ):
            anchor = parse_anchor(path.read_bytes())
            signed = await directory(web, anchor, kind, version)
            assert signed.version == version
            for part in signed.parts:
                content = part.verify(await fetch(web, part.url(running.base_url)))
                if part.content_identifier == "SHARED-PARAMETERS":
                    assert parse_shared(content, version).instance == INSTANCE


async def test_without_a_version_the_newest_is_given(
    config_file: Path, central: Start, web: aiohttp.ClientSession
) -> None:
    async with central(config_file) as running:
        anchor = parse_anchor(running.anchors.internal.read_bytes())
        data = await fetch(web, f"{running.base_url}/internalconf")
        assert verify_directory(data, anchor, datetime.now(UTC), kind=SourceKind.INTERNAL).version == 6


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/internalconf?version=2", 404),
        ("/internalconf?version=7", 404),
        ("/internalconf?version=six", 400),
        ("/internalconf?version=6&version=3", 400),
        ("/internalconf?version=", 400),
        ("/V6/20260101000000000000000/shared-params.xml", 404),
        ("/V6/../CENTRAL.toml", 404),
        ("/pin", 404),
        ("/", 404),
        ("/healthz", 200),
    ],
)
async def test_what_is_not_published_is_refused(
    path: str, expected: int, config_file: Path, central: Start, web: aiohttp.ClientSession
) -> None:
    async with central(config_file) as running:
        assert await status(web, running.base_url + path) == expected


async def test_a_changed_file_is_published(
    config_file: Path, config: CentralConfig, change: Change, central: Start, web: aiohttp.ClientSession
) -> None:
    async with central(config_file) as running:
        before = await download(web, running)
        change(members=(*config.members, MemberEntry(client("GOV/NSAF"), "National Social Assistance Fund")))

        async def published() -> bool:
            return (await download(web, running)).is_registered(client("GOV/NSAF"))

        await until(published)
        assert not before.is_registered(client("GOV/NSAF"))


async def test_a_changed_certificate_file_is_published(
    config_file: Path, central: Start, web: aiohttp.ClientSession, pki: Pki, tmp_path: Path
) -> None:
    renewed = pki.issue_auth("renewed.example").certificate
    async with central(config_file) as running:
        (tmp_path / "ss1.pem").write_bytes(renewed.public_bytes(Encoding.PEM))

        async def published() -> bool:
            trust = await download(web, running)
            return trust.server_of_auth_certificate(renewed.public_bytes(Encoding.DER)) is not None

        await until(published)


async def test_parts_of_the_generation_before_can_still_be_fetched(
    config_file: Path, config: CentralConfig, change: Change, central: Start, web: aiohttp.ClientSession
) -> None:
    async with central(config_file) as running:
        anchor = parse_anchor(running.anchors.internal.read_bytes())
        before = await directory(web, anchor)
        change(members=(*config.members, MemberEntry(client("GOV/NSAF"), "NSAF")))

        async def changed() -> bool:
            return (await directory(web, anchor)).parts != before.parts

        await until(changed)
        for part in before.parts:
            part.verify(await fetch(web, part.url(running.base_url)))


async def test_a_new_signature_leaves_unchanged_parts_where_they_are(
    config_file: Path, change: Change, central: Start, web: aiohttp.ClientSession
) -> None:
    change(validity_seconds=20, refresh_seconds=1)
    async with central(config_file) as running:
        anchor = parse_anchor(running.anchors.internal.read_bytes())
        before = await directory(web, anchor)

        async def signed_anew() -> bool:
            return (await directory(web, anchor)).expires_at > before.expires_at

        await until(signed_anew)
        assert (await directory(web, anchor)).parts == before.parts


@pytest.mark.parametrize(
    ("text", "key", "rule"),
    [
        ("this is not TOML", "", "is not TOML"),
        ('instance = "KH-SANDBOX"\npin_env = "X"\nmembers = 1', "members", "did you mean"),
        ('instance = "KH-SANDBOX"\npin_env = "X"\nvalidity_seconds = 0', "validity_seconds", "at least"),
        ('instance = "OTHER"\npin_env = "X"', "instance", "must stay"),
    ],
)
async def test_a_broken_file_keeps_the_last_good_configuration(
    text: str, key: str, rule: str, config_file: Path, central: Start, web: aiohttp.ClientSession
) -> None:
    with capture_logs() as logs:
        async with central(config_file) as running:
            before = await download(web, running)
            overwrite(config_file, text)

            async def refused() -> bool:
                return any(line["event"] == "central_config_refused" for line in logs)

            await until(refused)
            assert (await download(web, running)).digest == before.digest
    told = next(line for line in logs if line["event"] == "central_config_refused")
    assert told["key"] == key
    assert rule in told["rule"]


async def test_a_name_that_xml_cannot_carry_keeps_the_last_good_configuration(
    config_file: Path, change: Change, central: Start, web: aiohttp.ClientSession
) -> None:
    with capture_logs() as logs:
        async with central(config_file) as running:
            before = await download(web, running)
            change(members=(MemberEntry(client("GOV/MOP"), "bell \x07"),), servers=(), groups=())

            async def refused() -> bool:
                return any("cannot be published" in line.get("rule", "") for line in logs)

            await until(refused)
            assert (await download(web, running)).digest == before.digest


async def test_downloads_over_https(
    config_file: Path, change: Change, central: Start, web: aiohttp.ClientSession, tmp_path: Path
) -> None:
    issued = Pki.create(label="Web").issue_auth("localhost")
    secret = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    overwrite(tmp_path / "tls.key", secret.decode())
    overwrite(tmp_path / "tls.pem", issued.certificate.public_bytes(Encoding.PEM).decode())
    change(listen=(), listen_https=(Listen("127.0.0.1", 0),), tls=TlsEntry(tmp_path / "tls.pem", tmp_path / "tls.key"))
    async with central(config_file) as running:
        assert running.base_url.startswith("https://127.0.0.1:")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # the directory's signature is what counts, as for X-Road's own clients
        context.verify_mode = ssl.CERT_NONE
        async with web.get(f"{running.base_url}/internalconf?version=6", ssl=context) as response:
            anchor = parse_anchor(running.anchors.internal.read_bytes())
            data = await response.read()
    assert verify_directory(data, anchor, datetime.now(UTC), kind=SourceKind.INTERNAL).version == 6


async def test_a_corrected_file_is_taken_up_again(
    config_file: Path, config: CentralConfig, change: Change, central: Start, web: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with central(config_file) as running:
        good = (tmp_path / "ss1.pem").read_bytes()
        with capture_logs() as logs:
            (tmp_path / "ss1.pem").write_bytes(b"no certificate")

            async def refused() -> bool:
                return any(line["event"] == "central_config_refused" for line in logs)

            await until(refused)
            (tmp_path / "ss1.pem").write_bytes(good)

            async def accepted() -> bool:
                return any(line["event"] == "central_config_in_force_again" for line in logs)

            await until(accepted)
        change(members=(*config.members, MemberEntry(client("GOV/NSAF"), "NSAF")))

        async def published() -> bool:
            return (await download(web, running)).is_registered(client("GOV/NSAF"))

        await until(published)


async def test_sighup_makes_it_look_at_once(
    config_file: Path,
    config: CentralConfig,
    change: Change,
    central: Start,
    web: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower, "POLL_SECONDS", 3600.0)
    async with central(config_file) as running:
        change(members=(*config.members, MemberEntry(client("GOV/NSAF"), "NSAF")))
        os.kill(os.getpid(), signal.SIGHUP)

        async def published() -> bool:
            return (await download(web, running)).is_registered(client("GOV/NSAF"))

        await until(published)


async def test_a_restart_keeps_keys_and_anchors(
    config_file: Path, change: Change, central: Start, web: aiohttp.ClientSession
) -> None:
    change(public_urls=("http://central.example",))
    async with central(config_file) as running:
        first = (running.anchors.internal.read_bytes(), running.anchors.external.read_bytes())
    async with central(config_file) as running:
        assert (running.anchors.internal.read_bytes(), running.anchors.external.read_bytes()) == first


async def test_the_two_directories_are_signed_with_keys_of_their_own(config_file: Path, central: Start) -> None:
    async with central(config_file) as running:
        anchors = [parse_anchor(path.read_bytes()) for path in (running.anchors.internal, running.anchors.external)]
    assert anchors[0].sources[0].certificates != anchors[1].sources[0].certificates
    assert anchors[0].sources[0].url.endswith("/internalconf")
    assert anchors[1].sources[0].url.endswith("/externalconf")


async def test_another_pin_does_not_open_the_keys(config_file: Path, central: Start, tmp_path: Path) -> None:
    async with central(config_file):
        pass
    (tmp_path / "pin").write_text("654321\n")
    with pytest.raises(BaseExceptionGroup) as caught:
        async with central(config_file):
            pass
    assert caught.group_contains(WrongPin)


async def test_the_first_start_refuses_a_broken_file(config_file: Path, central: Start) -> None:
    overwrite(config_file, "instance = 1")
    with pytest.raises(BaseExceptionGroup) as caught:
        async with central(config_file):
            pass
    assert caught.group_contains(ConfigError)


async def test_no_secret_is_beside_the_keys(config_file: Path, central: Start, tmp_path: Path) -> None:
    async with central(config_file):
        pass
    keys = tmp_path / "signing-keys"
    assert keys.stat().st_mode & 0o077 == 0
    assert all(b"BEGIN PRIVATE KEY" not in path.read_bytes() for path in keys.rglob("*") if path.is_file())


async def test_metrics_tell_how_long_the_configuration_is_valid(
    config_file: Path, change: Change, central: Start, web: aiohttp.ClientSession
) -> None:
    change(metrics=(Listen("127.0.0.1", 0),))
    async with central(config_file) as running:
        base = f"http://{running.metrics[0]}"
        assert b"spean_central_valid_seconds" in await fetch(web, f"{base}/metrics")
        assert await status(web, f"{base}/healthz") == 200


def test_prepare_makes_keys_and_anchors_before_the_first_start(config_file: Path, change: Change) -> None:
    change(public_urls=("http://central.example:8080/",))
    files = prepare(config_file)
    assert parse_anchor(files.internal.read_bytes()).sources[0].url == "http://central.example:8080/internalconf"
    noted = files.internal.read_bytes()
    assert prepare(config_file).internal.read_bytes() == noted
