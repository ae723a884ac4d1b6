from pathlib import Path
from typing import Any

import pytest

from adapters.config import load_config
from adapters.errors import ConfigError
from adapters.packaged import adapter_yaml
from adapters.source.connection import SqlConnection
from tests.support.registry import SERVICE, make_adapter


def test_files_are_found_beside_the_adapter_file(tmp_path: Path) -> None:
    config = load_config(make_adapter(tmp_path))
    assert isinstance(config.connection, SqlConnection)
    assert config.connection.url == f"sqlite:///{tmp_path}/people.sqlite"
    assert (config.access.log, config.access.key_file) == (tmp_path / "access.sqlite", tmp_path / "access.key")
    assert config.limits.page_size == 100
    assert [each.code for each in config.services] == ["person"]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"listen": "here"}, "listen"),
        ({"listen": "127.0.0.1:99999"}, "listen"),
        ({"metrics": "127.0.0.1:99999"}, "metrics"),
        ({"surprise": 1}, "file"),
        ({"limits": {"page_size": 0}}, "limits.page_size"),
        ({"limits": {"page_sizes": 5}}, "limits"),
        ({"services": []}, "services"),
        ({"services": [SERVICE, SERVICE]}, "services"),
        ({"services": [SERVICE | {"code": "../up"}]}, "services.0.code"),
        ({"services": [SERVICE | {"mapping": "nothing.yaml"}]}, "file"),
        ({"services": [SERVICE | {"source": "nothing.yaml"}]}, "file"),
        ({"services": [SERVICE | {"release": "nothing.yaml"}]}, "file"),
        ({"services": [SERVICE | {"record": {"reg_type": "FR", "type": "Farmer"}}]}, "services.0.record.reg_type"),
        ({"services": [SERVICE | {"yes_when": {"status": ["ACTIVE"]}}]}, "services.0.yes_when"),
        ({"services": [SERVICE | {"other_versions": ["mapping.yaml"]}]}, "services.0.other_versions"),
        ({"callers": {"security_servers": ["everyone"]}}, "callers.security_servers"),
        ({"callers": {"security_server_certificates": ["ss.pem"]}}, "callers.security_server_certificates"),
        ({"tls": {"certificate_file": "adapter.pem"}}, "tls"),
        ({"callers": {"clients_file": "clients.yaml"}}, "callers"),
        ({"signatures": {"demand": True}}, "signatures"),
        ({"access_days": 0}, "access_days"),
    ],
)
def test_wrong_adapter_files_name_the_key(tmp_path: Path, change: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(make_adapter(tmp_path, **change))
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("listen", "declared", "believed"),
    [
        ("127.0.0.1:0", None, ["127.0.0.1", "::1"]),
        ("[::1]:0", None, ["127.0.0.1", "::1"]),
        ("0.0.0.0:0", None, []),
        ("10.1.2.3:7001", None, []),
        ("10.1.2.3:7001", ["10.1.2.4"], ["10.1.2.4"]),
        ("127.0.0.1:0", [], []),
    ],
)
def test_a_security_server_elsewhere_is_believed_only_when_declared(
    tmp_path: Path, listen: str, declared: list[str] | None, believed: list[str]
) -> None:
    more: dict[str, Any] = {} if declared is None else {"callers": {"security_servers": declared}}
    config = load_config(make_adapter(tmp_path, listen=listen, **more))
    assert sorted(map(str, config.callers.security_servers)) == believed


def test_a_file_of_the_old_form_is_told_what_replaced_it(tmp_path: Path) -> None:
    old: dict[str, Any] = {
        "service_code": "person",
        "source": {"url": "sqlite:///people.sqlite", "file": "source.yaml"},
    }
    path = make_adapter(tmp_path, mapping="mapping.yaml", record=SERVICE["record"], **old)
    with pytest.raises(ConfigError, match=r"write 'services', each with 'code' \(was service_code\)"):
        load_config(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("programme", ["idpoor", "nssf"])
def test_packaged_programme_can_be_configured_from_anywhere(tmp_path: Path, programme: str) -> None:
    path = tmp_path / "anywhere.yaml"
    url = f"sqlite:///{tmp_path}/data.sqlite"
    path.write_text(adapter_yaml(programme, listen="127.0.0.1:0", source_url=url, sender_id="ក"), encoding="utf-8")
    config = load_config(path)
    assert isinstance(config.connection, SqlConnection)
    assert (config.adapter, config.connection.url, config.sender_id) == (programme, url, "ក")
    assert config.access.log.parent == tmp_path


def test_unknown_programme() -> None:
    with pytest.raises(ConfigError):
        adapter_yaml("nobody", listen="127.0.0.1:0", source_url="x", sender_id="y")
