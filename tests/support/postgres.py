"""A PostgreSQL server of the tests' own, on loopback, and a new database in it for each test that asks."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.memorydisk import place_for

PROGRAMS = Path("/usr/lib/postgresql")
USER = "spean"
# Room for its log and some dozen databases; each takes 8 MiB.
ROOM_BYTES = 1024**3
# From here on a server can copy a database's files without a log of each page.
_COPIES_FILES = 150_000


def programs() -> Path | None:
    """Give the folder of `initdb` and `pg_ctl`; the newest when there are several."""
    found = sorted(PROGRAMS.glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("pg_ctl")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


def _unprivileged() -> list[str]:
    """Give what goes before a command: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    known = {entry.pw_name for entry in pwd.getpwall()}
    return ["runuser", "-u", "postgres" if "postgres" in known else "nobody", "--"]


def _run(directory: Path, *command: str) -> None:
    done = subprocess.run(
        [*_unprivileged(), *command], cwd=directory, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A running server.

    Args:
        directory: all that it writes.
        binaries: its programs.
    """

    def __init__(self, directory: Path, binaries: Path) -> None:
        self._directory, self._binaries = directory, binaries
        self.port = _free_port()

    @property
    def data(self) -> Path:
        """Where its data is."""
        return self._directory / "data"

    def start(self) -> None:
        settings = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._control("-w", "-l", str(self._directory / "log"), "-o", settings, "start")

    def stop(self) -> None:
        self._control("-m", "immediate", "-w", "stop")

    def _control(self, *arguments: str) -> None:
        _run(self._directory, str(self._binaries / "pg_ctl"), "-D", str(self._directory / "data"), *arguments)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database, and give its URL."""
        import psycopg  # noqa: PLC0415 - an extra: these tests are skipped without it

        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(f"host=127.0.0.1 port={self.port} user={USER} dbname=postgres", autocommit=True) as one:
            strategy = " STRATEGY FILE_COPY" if one.info.server_version >= _COPIES_FILES else ""
            one.execute(f"CREATE DATABASE {name}{strategy}".encode())
        return self.url(name)

    def remove(self, url: str) -> None:
        """Remove a database that was made here, whoever still holds a connection."""
        import psycopg  # noqa: PLC0415 - as above

        name = url.rpartition("/")[2]
        with psycopg.connect(f"host=127.0.0.1 port={self.port} user={USER} dbname=postgres", autocommit=True) as one:
            one.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@contextmanager
def running_server(binaries: Path, place: Path | None = None) -> Iterator[Server]:
    """Run a server until the block ends; `binaries` are its programs, and `place` is where its folder is made."""
    directory = Path(tempfile.mkdtemp(prefix="spean-postgresql-", dir=place))
    if _unprivileged():
        shutil.chown(directory, _unprivileged()[2])
    data = str(directory / "data")
    _run(directory, str(binaries / "initdb"), "-D", data, "-A", "trust", "-U", USER, "-E", "UTF8", "--no-sync")
    server = Server(directory, binaries)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    binaries = programs()
    if binaries is None:
        if os.environ.get("CI"):
            pytest.fail("pg_ctl is missing: install Debian's package postgresql")
        pytest.skip("pg_ctl is not here: install Debian's package postgresql")
    with running_server(binaries, place_for(ROOM_BYTES)) as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: Server) -> Iterator[str]:
    url = postgresql_server.new_database()
    yield url
    postgresql_server.remove(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database, once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'node.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url
