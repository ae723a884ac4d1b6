"""A REST server in the publicly documented shape of the patient system: token, beneficiary search, visits, code lists.

It refuses whoever has no token. The paths, the token and the wrapper {success, http_code, message, data} are
documented; the fields of ``data`` beyond what is said of them are an invention. A visit that is handed in is kept in
the register, and found like the others.
"""

import hmac
import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from adapters.synthetic.registers.pmrs import DIAGNOSES, FACILITIES
from adapters.synthetic.servers.names import CLIENT
from adapters.synthetic.servers.pmrsvisits import WrongVisitError, read_visit
from adapters.synthetic.servers.rows import Rows
from serverkit.http import new_application

TOKEN_SECONDS: Final = 600
_PAGE: Final = 100
_BY: Final = {"card_number": "card_number", "spid": "spid", "national_id": "national_id", "patient_no": "patient_no"}
_BENEFICIARY: Final = "SELECT b.* FROM beneficiary b"
_VISITS: Final = "SELECT b.*, x.* FROM visit x JOIN beneficiary b USING (patient_no)"
_PREGNANCIES: Final = "SELECT b.*, x.* FROM pregnancy x JOIN beneficiary b USING (patient_no)"
_WHERE: Final = "{select} WHERE b.{column} = ? LIMIT ?"
_ALL: Final = "{select} ORDER BY {key} LIMIT ? OFFSET ?"
_KNOWN: Final = "SELECT 1 FROM beneficiary WHERE patient_no = ?"
_VISITS_OF: Final = "SELECT 1 FROM visit WHERE patient_no = ?"
_ADD_VISIT: Final = "INSERT INTO visit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
STANDARD_DATA: Final[Mapping[str, Sequence[str]]] = {
    "marital_statuses": ("SINGLE", "MARRIED", "WIDOWED", "DIVORCED"),
    "admission_types": ("SELF", "REFERRED", "EMERGENCY"),
    "visit_types": ("OPD", "IPD", "ANC", "DEL"),
    "discharge_types": ("RECOVERED", "REFERRED", "SELF", "DEAD"),
    "visit_outcomes": ("IMPROVED", "CURED", "REFERRED", "DEAD"),
    "diagnosis_types": ("PRIMARY", "SECONDARY"),
    "payment_types": ("HEF", "NSSF", "USER_FEE"),
    "card_types": ("EQUITY_CARD", "NSSF"),
    "nationalities": ("KHM",),
    "diagnoses": DIAGNOSES,
    "health_facilities": FACILITIES,
    "medications": (),
}

Shape = Callable[[sqlite3.Row], dict[str, Any]]


class PmrsServer:
    """One server over one register, with one client's secret."""

    def __init__(self, rows: Rows, secret: str) -> None:
        self._rows, self._secret = rows, secret
        self._token = secrets.token_urlsafe(24)

    def application(self) -> web.Application:
        """Give the application; the code lists are found under both paths that are documented."""
        app = new_application()
        app.router.add_post("/oauth/token", self._give_token)
        app.router.add_get("/health", _healthy)
        external = "/api/v1/external"
        app.router.add_get(f"{external}/beneficiary/search", self._search(_BENEFICIARY, beneficiary))
        app.router.add_get(f"{external}/visits", self._search(_VISITS, visit))
        app.router.add_post(f"{external}/visits", self._take_visit)
        app.router.add_get(f"{external}/pregnancies", self._search(_PREGNANCIES, pregnancy))
        app.router.add_get(f"{external}/beneficiaries", self._list(_BENEFICIARY, "patient_no", beneficiary))
        app.router.add_get(f"{external}/visits/all", self._list(_VISITS, "visit_no", visit))
        app.router.add_get(f"{external}/pregnancies/all", self._list(_PREGNANCIES, "pregnancy_no", pregnancy))
        for path in (f"{external}/common/standard-data", "/v1/external/common/standard-data"):
            app.router.add_get(path, self._standard_data)
        return app

    async def _give_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        known = form.get("client_id") == CLIENT and form.get("grant_type") == "client_credentials"
        if not known or not hmac.compare_digest(str(form.get("client_secret")).encode(), self._secret.encode()):
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"access_token": self._token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})

    def _search(self, select: str, shape: Shape) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            refused = self._refused(request)
            if refused:
                return refused
            asked = [(name, request.query[name]) for name in _BY if request.query.get(name)]
            if len(asked) != 1:
                return _wrapped(422, "Give one of card_number, spid, national_id, patient_no.")
            name, value = asked[0]
            found = self._rows.find(_WHERE.format(select=select, column=_BY[name]), value, _PAGE)
            return _wrapped(200, "OK", [shape(row) for row in found]) if found else _wrapped(404, "Not found")

        return answer

    def _list(self, select: str, key: str, shape: Shape) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            refused = self._refused(request)
            if refused:
                return refused
            page = int(request.query.get("page", "1"))
            found = self._rows.find(_ALL.format(select=select, key=key), _PAGE, (page - 1) * _PAGE)
            return _wrapped(200, "OK", [shape(row) for row in found])

        return answer

    async def _take_visit(self, request: web.Request) -> web.Response:
        refused = self._refused(request)
        if refused:
            return refused
        try:
            patient, values = read_visit(await request.json(), STANDARD_DATA)
        except WrongVisitError as error:
            return _wrapped(422, str(error))
        except (ValueError, RecursionError):
            return _wrapped(400, "The body is no JSON.")
        if not self._rows.find(_KNOWN, patient):
            return _wrapped(404, "Not found")
        number = f"V{patient[1:]}{len(self._rows.find(_VISITS_OF, patient))}"
        self._rows.add(_ADD_VISIT, number, patient, *values)
        return _wrapped(200, "OK", {"visit_no": number})

    async def _standard_data(self, request: web.Request) -> web.Response:
        refused = self._refused(request)
        if refused:
            return refused
        codes = STANDARD_DATA.get(request.query.get("type", ""))
        if codes is None:
            return _wrapped(422, f"The type is one of {', '.join(STANDARD_DATA)}.")
        return _wrapped(200, "OK", [{"code": code, "name": code} for code in codes])

    def _refused(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("Authorization", "")
        known = hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode())
        return None if known else _wrapped(401, "Unauthenticated")


async def _healthy(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def _wrapped(code: int, message: str, data: object = None) -> web.Response:
    body = {"success": code == web.HTTPOk.status_code, "http_code": code, "message": message, "data": data}
    return web.json_response(body, status=code)


def beneficiary(row: sqlite3.Row) -> dict[str, Any]:
    """A person: SPID, demographics, card status, coverage."""
    return {
        "patient_no": row["patient_no"],
        "spid": row["spid"],
        "national_id": row["national_id"],
        "card": {"number": row["card_number"], "type": row["card_type"], "status": row["card_status"]},
        "surname_km": row["surname_km"],
        "given_name_km": row["given_km"],
        "surname_en": row["surname_en"],
        "given_name_en": row["given_en"],
        "gender": row["gender"],
        "date_of_birth": row["birth_date"],
        "year_of_birth": row["birth_year"],
        "village_code": row["village_code"],
        "coverage": row["coverage"],
    }


def visit(row: sqlite3.Row) -> dict[str, Any]:
    """A visit with the person who came."""
    fields = ("visit_no", "facility", "visit_type", "admitted", "discharged", "diagnosis", "outcome", "payment_type")
    return {name: row[name] for name in fields} | {"amount_khr": row["amount"], "beneficiary": beneficiary(row)}


def pregnancy(row: sqlite3.Row) -> dict[str, Any]:
    """A pregnancy with the person who is pregnant."""
    fields = ("pregnancy_no", "last_period", "due", "anc_visits", "confirmed", "facility")
    return {name: row[name] for name in fields} | {"beneficiary": beneficiary(row)}
