"""Programmes over a small synthetic population: their registers, stand-ins for what is called, and adapter files."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.config import AdapterConfig, load_config
from adapters.packaged import adapter_yaml
from adapters.services import PROGRAMMES
from adapters.synthetic import ALL, generate
from adapters.synthetic.servers.mosvy import WSDL, MosvyServer
from adapters.synthetic.servers.pmrs import PmrsServer
from adapters.synthetic.servers.rows import Rows
from serverkit.http import HttpServer, Listen

SECRET = "open sesame"
FOLDERS = {"moeys-scholarships", "school-feeding"}


def names() -> list[str]:
    """Every programme with a register; the crosswalk is made of theirs."""
    found = {each.name for each in PROGRAMMES.iterdir() if (each / "adapter.yaml").exists()}
    return sorted(found - {"crosswalk"})


def write_registers(folder: Path, households: int) -> Path:
    """Write every register of a population into a new folder."""
    folder.mkdir()
    generate(folder, households=households, seed=7, registers=ALL)
    return folder


@dataclass(frozen=True, slots=True)
class StandIns:
    """Where the systems that are called answer."""

    registers: Path
    folder: Path
    pmrs: str
    mosvy: str
    _read: dict[str, AdapterConfig] = field(default_factory=dict)

    def config(self, programme: str) -> AdapterConfig:
        """Read the adapter file of a programme over these registers, once."""
        if programme not in self._read:
            self._read[programme] = self._load(programme)
        return self._read[programme]

    def _load(self, programme: str) -> AdapterConfig:
        path = self.folder / f"{programme}.yaml"
        path.write_text(
            adapter_yaml(
                programme, listen="127.0.0.1:0", sender_id="KH-SANDBOX/GOV/TEST/TEST", source=self.source(programme)
            )
        )
        return load_config(path)

    def source(self, programme: str) -> dict[str, Any]:
        """What stands under ``source:``."""
        name = programme.replace("-", "_")
        if programme in FOLDERS:
            return {"kind": "files", "folder": str(self.registers / name)}
        if programme == "pmrs":
            token = {"token_url": f"{self.pmrs}/oauth/token", "client_id": "spean", "client_secret_file": "secret"}
            return {"kind": "rest", "url": self.pmrs, "oauth2": token}
        if programme == "mosvy-disability":
            url = f"{self.mosvy}/soap"
            return {"kind": "soap", "wsdl": str(WSDL), "url": url, "username": "spean", "password_file": "secret"}
        return {"kind": "sql", "url": f"sqlite:///{self.registers / name}.sqlite"}


@asynccontextmanager
async def stand_ins(registers: Path, folder: Path) -> AsyncIterator[StandIns]:
    """Run the stand-ins for the systems that are called."""
    await asyncio.to_thread((folder / "secret").write_text, SECRET)
    rows = [Rows(registers / f"{name}.sqlite") for name in ("pmrs", "mosvy_disability")]
    apps = PmrsServer(rows[0], SECRET).application(), MosvyServer(rows[1], SECRET).application()
    servers = [await HttpServer.start(app, [Listen("127.0.0.1", 0)]) for app in apps]
    try:
        pmrs, mosvy = (f"http://{server.addresses[0]}" for server in servers)
        yield StandIns(registers, folder, pmrs, mosvy)
    finally:
        for server in servers:
            await server.close()
        for each in rows:
            each.close()
