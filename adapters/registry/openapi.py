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

from adapters.registry.operations import OPERATIONS
from adapters.registry.service import Service
from contracts import openapi

_WITH_EVENTS: Final = frozenset(each.path for own in OPERATIONS.values() for each in own if each.needs_events)
_NAMES: Final = MappingProxyType({"Social": "sr", "IBR": "ibr", "DR": "dr", "Civil": "crvs"})


def add_documents(router: web.UrlDispatcher, services: Sequence[Service], *, with_events: bool) -> None:
    """Add ``/openapi/<registry>.json`` below the adapter and below each service; with what needs events, or without."""
    by_name: dict[str, list[str]] = {}
    for service in services:
        name = _NAMES[service.registry.reg_type]
        by_name.setdefault(name, []).append(f"../{service.code}")
        router.add_get(f"/{service.code}/openapi/{name}.json", partial(_show, name, ("..",), with_events))
    for name, places in by_name.items():
        router.add_get(f"/openapi/{name}.json", partial(_show, name, tuple(places), with_events))


async def _show(name: str, places: tuple[str, ...], with_events: bool, _request: web.Request) -> web.Response:  # noqa: FBT001  # bound by partial
    body = await asyncio.to_thread(_document, name, places, with_events=with_events)
    return web.Response(body=body, content_type="application/json", charset="utf-8")


@cache
def _document(name: str, places: tuple[str, ...], *, with_events: bool) -> bytes:
    """Places are relative to the document's own address: only so they hold on both sides of the bus.

    What an adapter does not do, it does not announce.
    """
    servers = [{"url": place} for place in places]
    whole = openapi.document(name)
    paths = whole["paths"]
    if not with_events:
        paths = {path: each for path, each in paths.items() if path not in _WITH_EVENTS}
    return json.dumps({**whole, "paths": paths, "servers": servers}, ensure_ascii=False).encode()
