import base64
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import contracts
from adapters.composition import token_issuer
from adapters.config import load_config
from adapters.errors import ConfigError
from adapters.registry.public import TOKEN_ATTEMPTS
from adapters.registry.ratelimit import MAX_NAMES, RateLimit
from adapters.registry.tokens import BadTokenError, TokenIssuer, fits, hashed, load_clients
from spean.cli import main
from tests.support.adapters import CLIENT, search_item, search_message, write_yaml
from tests.support.registry import Caller, make_adapter, running

SECRET = "correct horse battery staple"  # of a client that does not exist
HASHED = hashed(SECRET)
MESSAGE = search_message(search_item({"type": "LOCAL_ID", "value": "p1"}))
JSON = {"Content-Type": "application/json"}


def standing_alone(folder: Path, **callers: Any) -> Path:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "token.pem").write_bytes(pem)
    (folder / "token.pem").chmod(0o600)
    write_yaml(folder / "clients.yaml", {"clients": [{"id": "nsaf", "client": CLIENT, "secret": HASHED}]})
    default = {"clients_file": "clients.yaml", "token_key_file": "token.pem"}
    return make_adapter(folder, callers=default | callers)


async def token(caller: Caller, service: str = "person", **form: str) -> tuple[int, Any]:
    sent = {"grant_type": "client_credentials", "client_id": "nsaf", "client_secret": SECRET} | form
    url = f"{caller.url}/{service}/oauth2/client/token"
    async with caller.session.post(url, data=sent) as response:
        return response.status, await response.json()


def bearer(value: str) -> dict[str, str]:
    return JSON | {"Authorization": f"Bearer {value}"}


async def test_a_client_with_a_secret_gets_a_token_and_an_answer(tmp_path: Path) -> None:
    async with running(standing_alone(tmp_path)) as caller:
        status, given = await token(caller)
        assert status == 200
        contracts.validate("dci/token-response", "1.0.0", given)
        assert given["expires_in"] == 600
        status, answer = await caller.post(MESSAGE, headers=bearer(given["access_token"]))
        assert (status, answer["header"]["status"]) == (200, "succ")
        basic = base64.b64encode(f"nsaf:{SECRET.replace(' ', '+')}".encode()).decode()
        url = f"{caller.url}/person/oauth2/client/token"
        form, headers = {"grant_type": "client_credentials"}, {"Authorization": f"Basic {basic}"}
        async with caller.session.post(url, data=form, headers=headers) as response:
            assert response.status == 200
            assert response.headers["Cache-Control"] == "no-store"


async def test_nobody_vouches_for_a_user_whom_a_token_came_with(tmp_path: Path) -> None:
    async with running(standing_alone(tmp_path)) as caller:
        _status, given = await token(caller)
        headers = bearer(given["access_token"]) | {"X-Road-UserId": "director"}
        assert (await caller.post(MESSAGE, headers=headers))[0] == 200
    with closing(sqlite3.connect(tmp_path / "access.sqlite")) as database:
        assert database.execute("SELECT via, user FROM access").fetchall() == [("token", None)]


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
async def test_who_does_not_get_a_token(tmp_path: Path, form: dict[str, str], status: int, error: str) -> None:
    async with running(standing_alone(tmp_path)) as caller:
        found, told = await token(caller, **form)
    assert (found, told["error"]) == (status, error)
    contracts.validate("dci/token-error", "1.0.0", told)
    assert SECRET not in str(told)


async def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    async with running(standing_alone(tmp_path)) as caller:
        found = [(await token(caller, client_id="victim", client_secret=""))[0] for _ in range(3)]
        assert found == [400] * 3
        found = [(await token(caller, client_id="victim", grant_type="x"))[0] for _ in range(3)]
        assert found == [400] * 3
        limited = [(await token(caller, client_secret="wrong"))[0] for _ in range(TOKEN_ATTEMPTS + 2)]  # wrong
    assert limited == [401] * TOKEN_ATTEMPTS + [429] * 2


def issuer(folder: Path) -> TokenIssuer:
    made = token_issuer(load_config(folder / "adapter.yaml"))
    assert made is not None
    return made


async def test_tokens_that_are_not_for_this_service_and_moment(tmp_path: Path) -> None:
    path = standing_alone(tmp_path)
    own, now = issuer(tmp_path), datetime.now(UTC)
    claims = {"iss": "people-registry", "sub": "nsaf", "aud": "people-registry/person", "iat": now, "jti": "x"}
    ends = {"exp": now + timedelta(minutes=5)}
    stranger = ec.generate_private_key(ec.SECP256R1())
    bad = {
        "ended": own.issue("nsaf", "people-registry/person", now - timedelta(hours=1)),
        "another service": own.issue("nsaf", "people-registry/other", now),
        "unknown client": own.issue("gone", "people-registry/person", now),
        "another key": jwt.encode(claims | ends, stranger, "ES256"),
        "no end": jwt.encode(claims, own.key.private, "ES256"),
        "another issuer": jwt.encode(claims | ends | {"iss": "x"}, own.key.private, "ES256"),
        "no signature": jwt.encode(claims | ends, "", "none"),
        "no token": "x",
    }
    async with running(path) as caller:
        for name, value in bad.items():
            status, answer = await caller.post(MESSAGE, headers=bearer(value))
            assert (status, answer["errors"][0]["code"]) == (401, "err.request.unauthorized"), name
        for headers in (JSON, JSON | {"Authorization": "Basic bnNhZjp4"}, JSON | {"Authorization": ""}):
            assert (await caller.post(MESSAGE, headers=headers))[0] == 401
        good = own.issue("nsaf", "people-registry/person", now)
        assert (await caller.post(MESSAGE, headers=bearer(good)))[0] == 200


async def test_the_name_of_a_client_is_believed_from_the_security_server_only(tmp_path: Path) -> None:
    path = standing_alone(tmp_path, security_servers=["192.0.2.1"])
    good = issuer(tmp_path).issue("nsaf", "people-registry/person", datetime.now(UTC))
    async with running(path) as caller:
        named = {"X-Road-Client": CLIENT}
        assert (await caller.post(MESSAGE, headers=JSON | named))[0] == 401
        assert (await caller.post(MESSAGE, headers=bearer(good) | named))[0] == 401
        assert (await caller.post(MESSAGE, headers=bearer(good)))[0] == 200


async def test_without_clients_there_are_no_tokens(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        assert (await token(caller))[0] == 404
        assert (await caller.post(MESSAGE, headers=JSON))[0] == 401


def test_secrets_are_kept_as_hashes() -> None:
    assert SECRET not in HASHED
    assert fits(SECRET, HASHED)
    assert not fits(f"{SECRET} ", HASHED)
    assert hashed(SECRET) != HASHED


@pytest.mark.parametrize(
    "clients",
    [
        [{"id": "a", "client": "everyone", "secret": HASHED}],
        [{"id": "a", "client": CLIENT, "secret": "plain"}],
        [{"id": "a", "client": CLIENT, "secret": HASHED}] * 2,
        [{"id": "a b", "client": CLIENT, "secret": HASHED}],
    ],
)
def test_files_of_clients_that_are_wrong(tmp_path: Path, clients: list[dict[str, str]]) -> None:
    with pytest.raises(ConfigError, match="clients"):
        load_clients(write_yaml(tmp_path / "clients.yaml", {"clients": clients}))


def test_an_unknown_client_is_told_nothing_else(tmp_path: Path) -> None:
    standing_alone(tmp_path)
    with pytest.raises(BadTokenError) as unknown:
        issuer(tmp_path).authenticate("nobody", SECRET)
    with pytest.raises(BadTokenError) as wrong:
        issuer(tmp_path).authenticate("nsaf", "wrong")
    assert str(unknown.value) == str(wrong.value)


def test_attempts_are_counted_for_a_minute() -> None:
    now = [0.0]
    limit = RateLimit(2, clock=lambda: now[0])
    assert [limit.allows("a") for _ in range(3)] == [True, True, False]
    assert limit.allows("b")
    now[0] = 61.0
    assert limit.allows("a")
    for number in range(MAX_NAMES + 10):
        limit.allows(str(number))
    assert len(limit._seen) <= MAX_NAMES


def test_a_client_is_added_with_a_secret_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clients, secret = tmp_path / "clients.yaml", tmp_path / "secret"
    words = ["adapter", "client", str(clients), "backend", "--client", CLIENT, "--secret-file", str(secret)]
    assert main(words) == 0
    assert main(words) == 1
    found = load_clients(clients)["backend"]
    made = secret.read_text().strip()
    assert found.client == CLIENT
    assert fits(made, found.secret)
    assert secret.stat().st_mode & 0o077 == 0
    assert made not in clients.read_text() + "".join(capsys.readouterr())
    assert main([*words[:3], "other", "--client", "everyone", "--secret-file", str(tmp_path / "x")]) == 1


def test_each_secret_has_a_salt_of_its_own(true_salts: None) -> None:
    assert len({hashed("the same") for _ in range(5)}) == 5
