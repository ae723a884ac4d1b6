"""A SOAP server as a ministry's legacy system has one: the disability cases, found by one of their numbers.

It refuses requests without the user's password. Operations, names and codes are an invention, as the WSDL in the
programme's folder says.
"""

import hmac
import sqlite3
from pathlib import Path
from typing import Final

from aiohttp import encode_basic_auth, web

from adapters.synthetic.servers.names import CLIENT
from adapters.synthetic.servers.rows import Rows
from adapters.synthetic.servers.soap import Answers, Arguments, Dispatcher, FaultError
from serverkit.http import new_application

NAMESPACE: Final = "urn:example:mosvy:disability:1"
WSDL: Final = Path(__file__).parents[2] / "programmes" / "mosvy-disability" / "disability.wsdl"
_PAGE: Final = 100
_BY: Final = {
    "FindByCard": "CardNo",
    "FindByCase": "CaseNo",
    "FindByNationalId": "NationalId",
    "FindBySocialProtectionId": "SocialProtectionId",
}
_FIND: Final = "SELECT * FROM disability_case WHERE {column} = ?"
_LIST: Final = "SELECT * FROM disability_case ORDER BY CaseNo LIMIT ? OFFSET ?"


class MosvyServer:
    """One server over one register, with one user's password."""

    def __init__(self, rows: Rows, password: str) -> None:
        self._rows = rows
        self._expected = encode_basic_auth(CLIENT, password)
        operations = {name: self._finder(column) for name, column in _BY.items()}
        self._dispatcher = Dispatcher(NAMESPACE, "Case", {**operations, "ListCases": self._list})

    def application(self) -> web.Application:
        """Give the application: the service, its WSDL, and whether it is well."""
        app = new_application()
        app.router.add_post("/soap", self._answer)
        app.router.add_get("/soap", _show_wsdl)
        app.router.add_get("/health", _healthy)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), self._expected.encode()):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="mosvy"'})
        return self._dispatcher.answer(await request.read())

    def _finder(self, column: str) -> "_Finder":
        return _Finder(self._rows, _FIND.format(column=column), column)

    def _list(self, arguments: Arguments) -> Answers:
        page = int(arguments.get("Page") or 1)
        return (_case(row) for row in self._rows.find(_LIST, _PAGE, (page - 1) * _PAGE))


class _Finder:
    """The operation that finds by one column, which is also the name of its argument."""

    def __init__(self, rows: Rows, statement: str, column: str) -> None:
        self._rows, self._statement, self._column = rows, statement, column

    def __call__(self, arguments: Arguments) -> Answers:
        value = arguments.get(self._column)
        if not value:
            raise FaultError("Client", f"{self._column} is missing.")
        return (_case(row) for row in self._rows.find(self._statement, value))


def _case(row: sqlite3.Row) -> dict[str, object]:
    return {name: row[name] for name in row.keys()}  # noqa: SIM118  # a row iterates over its values


async def _show_wsdl(_request: web.Request) -> web.Response:
    return web.Response(body=WSDL.read_bytes(), content_type="text/xml", charset="utf-8")


async def _healthy(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
