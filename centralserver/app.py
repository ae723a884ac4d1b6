"""The downloads over HTTP: the two directories by version, and the parts that they name.

It refuses to build or sign anything: it serves the publication that it is given, as it is.
Security servers and federated instances fetch here (PR-GCONF 2.6 and 2.7).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from centralserver.publisher import Publication
from serverkit.http import new_application
from xroad.globalconf.parameters import CURRENT_VERSION

# Clients of X-Road before 7 ask without a version and would not understand a newer one; here the newest is given.
_NO_CACHE = {"Cache-Control": "no-cache"}
# A part's location changes with its content.
_CACHE = {"Cache-Control": "max-age=3600"}
_LONGEST_VERSION = 3


@dataclass
class Shelf:
    """Holds the publication of the moment; the server replaces it as a whole."""

    publication: Publication | None = None


def download_app(shelf: Shelf) -> web.Application:
    """Make the application of the downloads."""

    async def directory(request: web.Request) -> web.Response:
        return _directory(_published(shelf), request)

    async def part(request: web.Request) -> web.Response:
        return _part(_published(shelf), request.path)

    async def health(_request: web.Request) -> web.Response:
        return _health(shelf.publication, datetime.now(UTC))

    app = new_application()
    app.router.add_get("/{name:internalconf|externalconf}", directory)
    app.router.add_get("/V{version:[0-9]+}/{stamp:[0-9]+}/{file:[a-z-]+[.]xml}", part)
    app.router.add_get("/healthz", health)
    return app


def _published(shelf: Shelf) -> Publication:
    if shelf.publication is None:
        raise web.HTTPServiceUnavailable(text="The central server has not signed a configuration yet; try again.\n")
    return shelf.publication


def _directory(publication: Publication, request: web.Request) -> web.Response:
    version = _requested_version(request, publication)
    content = publication.directories.get((request.match_info["name"], version))
    if content is None:
        versions = ", ".join(str(each) for each in sorted({each for _, each in publication.directories}))
        raise web.HTTPNotFound(text=f"Version {version} is not published here; published: {versions}.\n")
    # The body begins with its own Content-Type header, as X-Road's does; the response repeats it.
    content_type = content.partition(b"\r\n")[0].decode("ascii").partition(": ")[2]
    return web.Response(body=content, headers={"Content-Type": content_type, **_NO_CACHE})


def _requested_version(request: web.Request, publication: Publication) -> int:
    asked = request.query.getall("version", [])
    if not asked:
        return max((each for _, each in publication.directories), default=CURRENT_VERSION)
    if len(asked) > 1 or not (asked[0].isascii() and asked[0].isdigit() and len(asked[0]) <= _LONGEST_VERSION):
        raise web.HTTPBadRequest(text="The query parameter 'version' must be given once, as a number.\n")
    return int(asked[0])


def _part(publication: Publication, path: str) -> web.Response:
    content = publication.parts.get(path)
    if content is None:
        raise web.HTTPNotFound(text="There is no such part; fetch the directory again, it names the current ones.\n")
    return web.Response(body=content, headers={"Content-Type": "text/xml; charset=UTF-8", **_CACHE})


def _health(publication: Publication | None, at: datetime) -> web.Response:
    valid = publication is not None and at <= publication.expires_at
    return web.json_response({"status": "ok" if valid else "failed"}, status=200 if valid else 503)
