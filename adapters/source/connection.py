"""What ``source:`` of an adapter file says: where the data is, and which files hold the credentials for it.

It refuses credentials in the adapter file itself, and plain HTTP to another machine; a secret is read when it is used.
:func:`adapters.source.opening.open_source` makes a source of a connection and a source file.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from adapters import yamlfile
from adapters.errors import ConfigError
from adapters.source.engines import read_url

MAX_SECRET_BYTES: Final = 64 * 1024  # no key or password is longer: it is the wrong file
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_NEEDS: Final = {
    "sql": ("url",),
    "rest": ("url",),
    "soap": ("wsdl",),
    "files": ("folder",),
    "crosswalk": ("url", "key_file", "declaration"),
}
_TAKES: Final = {
    "sql": {"url", "password_file"},
    "rest": {"url", "oauth2", "api_key", "ca_file"},
    "soap": {"url", "wsdl", "username", "password_file", "ca_file"},
    "files": {"folder", "index"},
    "crosswalk": {"url", "password_file", "key_file", "declaration"},
}


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file with one secret: read at each use, so that a new one counts without a new start."""

    file: str
    key: str
    path: Path

    def read(self) -> str:
        """Return the secret without the line end; raises :class:`ConfigError`."""
        try:
            with self.path.open("rb") as opened:
                data = opened.read(MAX_SECRET_BYTES + 1)
            text = data.decode().strip()
        except OSError as error:
            raise ConfigError(self.file, self.key, f"{self.path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise ConfigError(self.file, self.key, f"{self.path} is not text") from None
        if not text or len(data) > MAX_SECRET_BYTES or "\n" in text:
            raise ConfigError(self.file, self.key, f"{self.path} must hold one line: the secret")
        return text


@dataclass(frozen=True, slots=True)
class SqlConnection:
    """A database by URL; the password comes from a file."""

    file: str
    url: str
    password: SecretFile | None
    kind: str = "sql"


@dataclass(frozen=True, slots=True)
class OAuth2:
    """Where a token is had for the client's credentials."""

    token_url: str
    client_id: str
    client_secret: SecretFile
    scope: str | None
    basic: bool


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A header that holds a key."""

    header: str
    key: SecretFile


@dataclass(frozen=True, slots=True)
class RestConnection:
    """A service by its base URL, which ends without a slash."""

    file: str
    url: str
    oauth2: OAuth2 | None
    api_key: ApiKey | None
    ca_file: Path | None
    kind: str = "rest"


@dataclass(frozen=True, slots=True)
class SoapConnection:
    """A service by its WSDL, a file; ``url`` takes the place of the address in it."""

    file: str
    wsdl: Path
    url: str | None
    username: str | None
    password: SecretFile | None
    ca_file: Path | None
    kind: str = "soap"


@dataclass(frozen=True, slots=True)
class FilesConnection:
    """A folder in which files are dropped, and the folder of the index that is made of them."""

    file: str
    folder: Path
    index: Path
    kind: str = "files"


@dataclass(frozen=True, slots=True)
class CrosswalkConnection:
    """The database of a crosswalk, the key of its values, and the file that declares how it decides."""

    file: str
    url: str
    password: SecretFile | None
    key_file: Path
    declaration: str
    folder: Path
    kind: str = "crosswalk"


Connection = SqlConnection | RestConnection | SoapConnection | FilesConnection | CrosswalkConnection


def read_connection(data: Any, *, file: str, folder: Path) -> Connection:  # noqa: ANN401  # what the YAML has there
    """Read what stands under ``source:`` of an adapter file.

    Args:
        data: the value there.
        file: what messages call the adapter file.
        folder: relative paths are taken from it.

    Raises:
        ConfigError: names the key under ``source`` and the rule.
    """
    try:
        yamlfile.check(file, data, "connection")
    except ConfigError as error:
        raise ConfigError(file, "source" if error.key == "file" else f"source.{error.key}", error.problem) from error
    kind = data.get("kind", "sql")
    _check_keys(file, kind, data)
    base = folder.resolve()
    match kind:
        case "rest":
            return _rest(file, base, data)
        case "soap":
            return _soap(file, base, data)
        case "files":
            inbox = base / data["folder"]
            return FilesConnection(file, inbox, base / data.get("index", f"{inbox}.index"))
        case "crosswalk":
            url, password = _sql_url(file, base, data["url"]), _secret(file, base, data, "password_file")
            return CrosswalkConnection(file, url, password, base / data["key_file"], data["declaration"], base)
        case _:
            return SqlConnection(file, _sql_url(file, base, data["url"]), _secret(file, base, data, "password_file"))


def _check_keys(file: str, kind: str, data: dict[str, Any]) -> None:
    for key in _NEEDS[kind]:
        if key not in data:
            raise ConfigError(file, f"source.{key}", f"a source of kind {kind} needs it")
    for key in sorted(set(data) - _TAKES[kind] - {"kind"}):
        raise ConfigError(file, f"source.{key}", f"has no meaning for a source of kind {kind}")


def _sql_url(file: str, folder: Path, url: str) -> str:
    read_url(file, url)
    prefix = "sqlite:///"
    return f"{prefix}{folder / url.removeprefix(prefix)}" if url.startswith(prefix) else url


def _rest(file: str, folder: Path, data: dict[str, Any]) -> RestConnection:
    if "oauth2" in data and "api_key" in data:
        raise ConfigError(file, "source", "has oauth2 and api_key: a service asks for one of them")
    oauth2, key = data.get("oauth2"), data.get("api_key")
    url = check_web_url(file, "source.url", data["url"])
    token = None
    if oauth2 is not None:
        token = OAuth2(
            check_web_url(file, "source.oauth2.token_url", oauth2["token_url"]),
            oauth2["client_id"],
            SecretFile(file, "source.oauth2.client_secret_file", folder / oauth2["client_secret_file"]),
            oauth2.get("scope"),
            oauth2.get("client_auth", "post") == "basic",
        )
    api_key = None
    if key is not None:
        api_key = ApiKey(key["header"], SecretFile(file, "source.api_key.key_file", folder / key["key_file"]))
    return RestConnection(file, url.rstrip("/"), token, api_key, _path(folder, data, "ca_file"))


def _soap(file: str, folder: Path, data: dict[str, Any]) -> SoapConnection:
    if ("username" in data) != ("password_file" in data):
        raise ConfigError(file, "source.username", "goes with password_file")
    url = None if "url" not in data else check_web_url(file, "source.url", data["url"])
    password = _secret(file, folder, data, "password_file")
    return SoapConnection(
        file, folder / data["wsdl"], url, data.get("username"), password, _path(folder, data, "ca_file")
    )


def check_web_url(file: str, key: str, url: str) -> str:
    """Return the URL; raises :class:`ConfigError`, since personal data never goes to another machine in clear text."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise ConfigError(file, key, "is not a URL") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigError(file, key, "has credentials in it: put them in files")
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigError(file, key, "is not an http or https URL")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ConfigError(file, key, "must be https, since it leads to another machine")
    return url


def trusted(file: str, url: str, ca_file: Path | None) -> ssl.SSLContext | bool:
    """Return what checks a service's certificate: the system's authorities, or those of a file.

    To this machine itself no TLS is spoken, and True, aiohttp's own default, costs no time.
    """
    if not url.startswith("https:"):
        return True
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(file, "source.ca_file", f"cannot be used: {type(error).__name__}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _secret(file: str, folder: Path, data: dict[str, Any], key: str) -> SecretFile | None:
    return SecretFile(file, f"source.{key}", folder / data[key]) if key in data else None


def _path(folder: Path, data: dict[str, Any], key: str) -> Path | None:
    return folder / data[key] if key in data else None
