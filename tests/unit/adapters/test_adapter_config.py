from pathlib import Path
from typing import Any

import pytest

from adapters.config import adapter_yaml, load_config
from adapters.errors import ConfigError
from tests.support.registry import make_adapter


def test_files_are_found_beside_the_adapter_file(tmp_path: Path) -> None:
    config = load_config(make_adapter(tmp_path))
    assert config.source_url == f"sqlite:///{tmp_path}/people.sqlite"
    assert config.require_client
    assert config.limits.page_size == 100
    assert config.base_path == ""


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"listen": "here"}, "listen"),
        ({"listen": "127.0.0.1:99999"}, "listen"),
        ({"surprise": 1}, "file"),
        ({"limits": {"page_size": 0}}, "limits.page_size"),
        ({"limits": {"page_sizes": 5}}, "limits"),
        ({"require_client": "no"}, "require_client"),
        ({"mapping": "nothing.yaml"}, "file"),
        ({"source": {"url": "sqlite:///x", "file": "nothing.yaml"}}, "file"),
        ({"base_path": "no-slash"}, "base_path"),
        ({"base_path": "/a/../b "}, "base_path"),
    ],
)
def test_wrong_adapter_files_name_the_key(tmp_path: Path, change: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(make_adapter(tmp_path, **change))
    assert caught.value.key == key


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("programme", ["idpoor", "nssf"])
def test_packaged_programme_can_be_configured_from_anywhere(tmp_path: Path, programme: str) -> None:
    path = tmp_path / "anywhere.yaml"
    url = f"sqlite:///{tmp_path}/data.sqlite"
    path.write_text(adapter_yaml(programme, listen="127.0.0.1:0", source_url=url, sender_id="ក"), encoding="utf-8")
    config = load_config(path)
    assert (config.adapter, config.source_url, config.sender_id) == (programme, url, "ក")


def test_unknown_programme() -> None:
    with pytest.raises(ConfigError):
        adapter_yaml("nobody", listen="127.0.0.1:0", source_url="x", sender_id="y")
