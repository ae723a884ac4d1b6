"""A small CENTRAL.toml with real certificate files, and a central server that runs over it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from centralserver.config import (
    CaEntry,
    CentralConfig,
    GroupEntry,
    MemberClassEntry,
    MemberEntry,
    OcspEntry,
    ServerEntry,
    SubsystemEntry,
    TsaEntry,
)
from centralserver.config_file import write_config
from centralserver.server import Running, run
from serverkit.http import Listen
from tests.support.globalconf import INSTANCE, client
from tests.support.pki import Pki
from xroad.identifiers import SecurityServerId

Start = Callable[[Path], AbstractAsyncContextManager[Running]]


@pytest.fixture
def pki() -> Pki:
    return Pki.create(intermediate=True)


@pytest.fixture
def config(tmp_path: Path, pki: Pki) -> CentralConfig:
    """One member with a subsystem and a server; free ports; an EC key, which is made faster."""
    names = {"root": pki.ca_certificates[0], "tsa": pki.tsa.certificate, "ss1": pki.issue_auth().certificate}
    for name, certificate in names.items():
        (tmp_path / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    pin = tmp_path / "pin"
    pin.write_text("123456\n")
    pin.chmod(0o600)
    return CentralConfig(
        instance=INSTANCE,
        pin_file=pin,
        listen=(Listen("127.0.0.1", 0),),
        key_type="ec-p256",
        member_classes=(MemberClassEntry("GOV", "Government"),),
        members=(MemberEntry(client("GOV/MOP"), "Ministry of Planning", (SubsystemEntry("IDPOOR", "IDPoor"),)),),
        servers=(
            ServerEntry(
                SecurityServerId.parse(f"{INSTANCE}/GOV/MOP/SS1"),
                "127.0.0.1",
                (tmp_path / "ss1.pem",),
                (client("GOV/MOP/IDPOOR"),),
            ),
        ),
        cas=(CaEntry("Test CA", tmp_path / "root.pem", ocsp=(OcspEntry("http://127.0.0.1:1/ocsp"),)),),
        tsas=(TsaEntry("Test TSA", tmp_path / "tsa.pem", "http://127.0.0.1:1/tsa"),),
        groups=(GroupEntry("registries", "Registries", (client("GOV/MOP/IDPOOR"),)),),
    )


@pytest.fixture
def config_file(tmp_path: Path, config: CentralConfig) -> Path:
    path = tmp_path / "CENTRAL.toml"
    write_config(path, config)
    return path


@pytest.fixture
def change(config: CentralConfig, config_file: Path) -> Callable[..., CentralConfig]:
    """Write the file anew with other values."""

    def write(**values: object) -> CentralConfig:
        changed = replace(config, **values)  # type: ignore[arg-type]
        write_config(config_file, changed)
        return changed

    return write


@pytest.fixture
def central() -> Start:
    """Run a central server over a file until the block ends; it must then end cleanly."""

    @asynccontextmanager
    async def start(path: Path) -> AsyncIterator[Running]:
        stop = asyncio.Event()
        started: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            group.create_task(run(path, stop=stop, ready=started.set_result))
            try:
                yield await started
            finally:
                stop.set()

    return start
