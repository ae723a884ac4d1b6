import dataclasses
from pathlib import Path

import pytest

from securityserver.serverconf import Connection, Endpoint, ServerConf, load_services
from serverkit.config import ConfigError
from tests.support.serverconf import (
    FAMILY,
    HOUSEHOLD,
    IDPOOR,
    OTHER,
    PARTNERS,
    SERVICES,
    declared,
    der,
    pem,
)
from xroad.identifiers import ClientId, GlobalGroupId, ServiceId

STRANGER = ClientId("KH-SANDBOX", "GOV", "XYZ", "SUB")


def partners_only(client: ClientId, group: GlobalGroupId) -> bool:
    return group == PARTNERS and client == STRANGER


@pytest.fixture
def conf() -> ServerConf:
    return ServerConf(declared(), 7)


def test_look_ups(conf: ServerConf) -> None:
    client = conf.client(IDPOOR)
    assert client is not None
    assert client.connection is Connection.HTTP
    assert conf.client(FAMILY) is None
    service = conf.service(HOUSEHOLD)
    assert service is not None
    assert (service.url, service.timeout, service.disabled) == ("http://127.0.0.1:7001", 10.0, None)
    assert service.endpoints == (Endpoint("*", "/public/**"), Endpoint("GET", "/v1/*/cards"))
    assert conf.service(ServiceId(IDPOOR, "household", "v1")) is None
    assert [service.id.service_code for service in conf.services_of(IDPOOR)] == ["closed", "household"]
    assert conf.services_of(FAMILY) == ()
    closed = conf.service(ServiceId(IDPOOR, "closed"))
    assert closed is not None
    assert closed.disabled == "បិទ until Monday"
    assert conf.version == 7


@pytest.mark.parametrize(
    ("client", "method", "path", "allowed"),
    [
        (FAMILY, "GET", "/anything", True),
        (FAMILY, "DELETE", "", True),
        (FAMILY, None, None, True),
        (FAMILY, "GET", "/a/../b", False),
        (FAMILY.member, "GET", "/anything", False),
        (OTHER, "GET", "/v1/7/cards", True),
        (OTHER, "get", "/v1/7/cards", True),
        (OTHER, "POST", "/v1/7/cards", False),
        (OTHER, "GET", "/v1/7/8/cards", False),
        (OTHER, "GET", "/v1/7%2F8/cards", False),
        (OTHER, "GET", "/v1/x/cards/..", False),
        (OTHER, None, None, False),
        (STRANGER, "GET", "/public/a/b", True),
        (STRANGER, "GET", "/private", False),
        (STRANGER, "GET", "/public/../private", False),
        (STRANGER, "GET", "/public/%2e%2e/private", False),
        (IDPOOR, "GET", "/anything", False),
    ],
)
def test_access(conf: ServerConf, client: ClientId, method: str | None, path: str | None, *, allowed: bool) -> None:
    assert conf.is_allowed(client, HOUSEHOLD, method, path, partners_only) is allowed


def test_deny_by_default(conf: ServerConf) -> None:
    for service in (ServiceId(IDPOOR, "closed"), ServiceId(IDPOOR, "none"), ServiceId(FAMILY, "household")):
        assert not conf.is_allowed(FAMILY, service, "GET", "/", lambda *_: True)
    empty = ServerConf(declared(""), 1)
    assert not empty.is_allowed(FAMILY, HOUSEHOLD, "GET", "/", lambda *_: True)


def test_allowed_services(conf: ServerConf) -> None:
    for client in (FAMILY, OTHER, STRANGER):
        assert [service.id for service in conf.allowed_services(client, IDPOOR, partners_only)] == [HOUSEHOLD]
    assert conf.allowed_services(IDPOOR, IDPOOR, partners_only) == ()


def test_a_snapshot_cannot_change(conf: ServerConf) -> None:
    service = conf.service(HOUSEHOLD)
    assert service is not None
    with pytest.raises(dataclasses.FrozenInstanceError):
        service.url = "http://evil"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        conf.other = 1  # type: ignore[attr-defined]


def test_certificates_by_file_and_in_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text(pem("a"))
    text = f'[[client]]\nid = "A/B/C"\nconnection = "https"\ntls_certificates = ["a.pem", """{pem("b")}"""]\n'
    (tmp_path / "SERVICES.toml").write_text(
        f'{text}[[client.service]]\ncode = "s"\nurl = "https://h"\ntls_certificate = "a.pem"\n'
    )
    (client,) = load_services(tmp_path / "SERVICES.toml").clients
    assert client.tls_certificates == {der("a"), der("b")}
    assert client.services[0].tls_certificate == der("a")


CLIENT = '[[client]]\nid = "A/B/C"\n'
SERVICE = f'{CLIENT}[[client.service]]\ncode = "s"\nurl = "http://h"\n'
ACCESS = f"{SERVICE}[[client.service.access]]\n"


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('[[client]]\nid = "A"', "client[1].id", "number of parts"),
        (CLIENT * 2, "", "client A/B/C is declared twice"),
        (f"{SERVICE}tls_verify = false\n", "client[1].service[1]", "pin its certificate"),
        (f"{SERVICE}tls_verify = true\n", "client[1].service[1]", "always verified"),
        (f'{CLIENT}connection = "ftp"', "client[1].connection", "https-no-auth"),
        (f'{CLIENT}connection = "https"', "client[1]", "tls_certificates"),
        (f'{CLIENT}tls_certificates = ["none.pem"]', "client A/B/C.tls_certificates", "No such file"),
        (f'{CLIENT}tls_certificates = ["-----BEGIN x"]', "client A/B/C.tls_certificates", "not a certificate"),
        (SERVICE.replace("http://h", "ftp://h"), "client[1].service[1]", "url must be"),
        (SERVICE.replace("http://h", "http://"), "client[1].service[1]", "url must be"),
        (SERVICE.replace("http://h", "http://h:x"), "client[1].service[1]", "Port"),
        (SERVICE.replace("http://h", "http://u:p@h"), "client[1].service[1]", "no user name"),
        (SERVICE.replace("http://h", "http://h?x=1"), "client[1].service[1]", "query"),
        (SERVICE.replace('"s"', '"a/b"'), "client[1].service[1].code", "forbidden character"),
        (f"{SERVICE}timeout = 0", "client[1].service[1].timeout", "at least 1"),
        (f"{SERVICE}timeout = 10000", "client[1].service[1].timeout", "at most 900"),
        (SERVICE + SERVICE.removeprefix(CLIENT), "client[1]", "service s is declared twice"),
        (ACCESS, "client[1].service[1].access[1]", "exactly one of"),
        (f'{ACCESS}subject = "A/B/C"\nlocal_group = "x"', "client[1].service[1].access[1]", "exactly one of"),
        (f'{ACCESS}subject = "A/B/C"\nmethod = "FETCH"', "client[1].service[1].access[1].method", "one of"),
        (f'{ACCESS}subject = "A/B/C"\npath = "x"', "client[1].service[1].access[1].path", "begin with /"),
        (f'{ACCESS}global_group = "x"', "client[1].service[1].access[1].global_group", "INSTANCE/GROUP"),
        (f'{ACCESS}local_group = "x"', "client[1]", "local_group x is used in access and not declared"),
        (f'{CLIENT}[[client.local_group]]\ncode = "a"\n[[client.local_group]]\ncode = "a"', "client[1]", "twice"),
    ],
)
def test_errors_name_the_place_and_the_rule(text: str, key: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        declared(text)
    assert caught.value.key == key
    assert words in caught.value.rule


def test_passwords_in_urls_are_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        declared(SERVICE.replace("http://h", "http://user:hidden@h"))
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file or directory"), (b"\xff", "it is not UTF-8")], ids=["missing", "bytes"]
)
def test_an_unreadable_file(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "SERVICES.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"cannot be read: {reason}"):
        load_services(path)


def test_order_in_the_file_means_nothing() -> None:
    one, two = '[[client]]\nid = "A/B/C"\n', '[[client]]\nid = "A/B/D"\n'
    assert declared(one + two) == declared(two + one)
    assert declared(SERVICES) == declared(SERVICES)
