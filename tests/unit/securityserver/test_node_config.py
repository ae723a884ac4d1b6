"""NODE.toml: defaults, paths, and mistakes that are told by key and rule."""

from pathlib import Path

import pytest

from securityserver.config import MESSAGE_PORT, OCSP_PORT, load_config
from securityserver.limits import Limits
from securityserver.timestamping import Timestamping
from serverkit.config import ConfigError
from serverkit.http import Listen

GOOD = """
[server]
id = "KH-SANDBOX/GOV/MOP/SS1"
anchor = "anchor.xml"
data = "data"
[token]
directory = "token"
pin_file = "pin"
[listen]
client_http = ["127.0.0.1:8080", "[::1]:8080"]
message = ["127.0.0.1:5500"]
"""


def written(directory: Path, text: str) -> Path:
    file = directory / "NODE.toml"
    file.write_text(text)
    return file


def test_defaults_and_paths(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    assert str(config.server.id) == "KH-SANDBOX/GOV/MOP/SS1"
    assert config.server.anchor == tmp_path / "anchor.xml"
    assert config.database == f"sqlite:///{tmp_path / 'data' / 'node.db'}"
    assert config.listen.client_http == (Listen("127.0.0.1", 8080), Listen("::1", 8080))
    assert (config.ports.message, config.ports.ocsp) == (MESSAGE_PORT, OCSP_PORT)
    assert config.limits == Limits()


def test_time_stamping_is_as_x_road_has_it_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, GOOD)).timestamping == Timestamping()
    assert Timestamping().acceptable_failure_seconds == 4 * 3600
    text = GOOD + '[timestamping]\nimmediately = true\nauthorities = ["b", "a"]\n'
    told = load_config(written(tmp_path, text)).timestamping
    assert (told.immediately, told.authorities) == (True, ("b", "a"))


def test_the_pin_comes_from_exactly_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pin").write_text("from-a-file\n")
    (tmp_path / "pin").chmod(0o600)
    assert load_config(written(tmp_path, GOOD)).token.pin().reveal() == b"from-a-file"
    monkeypatch.setenv("SPEAN_TEST_PIN", "from-the-environment")
    by_environment = GOOD.replace('pin_file = "pin"', 'pin_env = "SPEAN_TEST_PIN"')
    assert load_config(written(tmp_path, by_environment)).token.pin().reveal() == b"from-the-environment"
    for both in (GOOD.replace('pin_file = "pin"', ""), GOOD.replace("[listen]", 'pin_env = "A"\n[listen]')):
        with pytest.raises(ConfigError, match="exactly one"):
            load_config(written(tmp_path, both))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("/SS1", "", "server.id"),
        ("5500", "99999", "listen.message"),
        ("anchor =", "ancor =", "ancor"),
        ("[listen]", "[ports]\nocsp = 0\n[listen]", "ports.ocsp"),
        ("[listen]", "[globalconf]\nrefresh_seconds = 7200\n[listen]", "globalconf.refresh_seconds"),
        ("[listen]", "[limits]\nexchanges = true\n[listen]", "limits.exchanges"),
        ("[listen]", "[timestamping]\nimmediate = true\n[listen]", "immediately"),
        ("[listen]", "[timestamping]\nacceptable_failure_seconds = 0\n[listen]", "acceptable_failure_seconds"),
        ("[listen]", "[timestamping]\nrecords_per_request = 100000\n[listen]", "records_per_request"),
    ],
)
def test_a_mistake_is_told_by_its_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load_config(written(tmp_path, GOOD.replace(old, new)))
