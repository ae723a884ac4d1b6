"""Shows the OpenAPI document of each registry type that an adapter serves, with where its services are.

It refuses to write one: the documents are the standard's, kept beside its schemas. The HTTP application adds these
paths; a document is put together when somebody first asks for it.
"""

import asyncio
import json
from collections.abc import Sequence
from functools import cache, partial
from types import MappingProxyType
from typing import Final

from aiohttp import web

from adapters.registry.service import Service
from contracts import openapi

_NAMES: Final = MappingProxyType({"Social": "sr", "IBR": "ibr", "DR": "dr", "Civil": "crvs"})


def add_documents(router: web.UrlDispatcher, services: Sequence[Service]) -> None:
    """Add ``/openapi/<registry>.json`` below the adapter and below each service."""
    by_name: dict[str, list[str]] = {}
    for service in services:
        name = _NAMES[service.registry.reg_type]
        by_name.setdefault(name, []).append(f"../{service.code}")
        router.add_get(f"/{service.code}/openapi/{name}.json", partial(_show, name, ("..",)))
    for name, places in by_name.items():
        router.add_get(f"/openapi/{name}.json", partial(_show, name, tuple(places)))


async def _show(name: str, places: tuple[str, ...], _request: web.Request) -> web.Response:
    body = await asyncio.to_thread(_document, name, places)
    return web.Response(body=body, content_type="application/json", charset="utf-8")


@cache
def _document(name: str, places: tuple[str, ...]) -> bytes:
    """Places are relative to the document's own address: only so they hold on both sides of the bus."""
    servers = [{"url": place} for place in places]
    return json.dumps({**openapi.document(name), "servers": servers}, ensure_ascii=False).encode()
