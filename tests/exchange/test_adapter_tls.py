import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.errors import ConfigError
from adapters.serve import serve
from securityserver.internaltls import InternalKey
from tests.support.adapters import CLIENT, search_item, search_message
from tests.support.registry import make_adapter

MESSAGE = search_message(search_item({"type": "LOCAL_ID", "value": "p1"}))
HEADERS = {"Content-Type": "application/json", "X-Road-Client": CLIENT}


def made(folder: Path, name: str) -> InternalKey:
    key = InternalKey(folder / name)
    key.create("localhost", datetime.now(UTC))
    return key


def adapter(folder: Path, *pinned: InternalKey, **callers: Any) -> Path:
    own = made(folder, "own")
    tls = {"certificate_file": str(own.certificate_file), "key_file": str(own.directory / "key.pem")}
    certificates = [str(each.certificate_file) for each in pinned]
    return make_adapter(folder, tls=tls, callers=callers | {"security_server_certificates": certificates})


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[str]:
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(path, stop=stop, ready=ready.set_result))
        try:
            yield (await asyncio.wait_for(ready, 10)).replace("127.0.0.1", "localhost")
        finally:
            stop.set()


async def status(url: str, folder: Path, shown: InternalKey | None) -> int:
    context = ssl.create_default_context(cafile=str(folder / "own" / "certificate.pem"))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if shown is not None:
        shown.load_into(context)
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{url}/person/registry/sync/search", data=json.dumps(MESSAGE), headers=HEADERS, ssl=context
        ) as answer,
    ):
        return answer.status


async def test_the_security_server_is_known_by_its_certificate(tmp_path: Path) -> None:
    server, stranger = made(tmp_path, "server"), made(tmp_path, "stranger")
    async with serving(adapter(tmp_path, server)) as url:
        assert url.startswith("https://")
        assert await status(url, tmp_path, server) == 200
        assert await status(url, tmp_path, None) == 401
        with pytest.raises(aiohttp.ClientError):
            await status(url, tmp_path, stranger)


async def test_without_a_pinned_certificate_nobody_is_asked_for_one(tmp_path: Path) -> None:
    async with serving(adapter(tmp_path, security_servers=[])) as url:
        assert await status(url, tmp_path, made(tmp_path, "server")) == 401


async def test_keys_that_cannot_be_used_stop_the_start(tmp_path: Path) -> None:
    path = adapter(tmp_path)
    key = tmp_path / "own" / "key.pem"
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        await serve(path, stop=asyncio.Event())
    key.write_text("no key")
    key.chmod(0o600)
    with pytest.raises(ConfigError, match="in PEM"):
        await serve(path, stop=asyncio.Event())
