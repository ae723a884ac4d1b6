"""A MariaDB server of the tests' own, on loopback, and a new database in it for each test that asks."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.memorydisk import place_for

USER = "spean"
PASSWORD = "only-a-test"
START_SECONDS = 60
# Room for its own tables, its logs and some dozen databases.
ROOM_BYTES = 512 * 1024**2
SYSTEM_FOLDERS = (Path("/usr/sbin"), Path("/usr/bin"), Path("/usr/local/bin"))


def program(name: str) -> str | None:
    """Find a program of MariaDB, also where only root's PATH leads."""
    return shutil.which(name) or next((str(each / name) for each in SYSTEM_FOLDERS if (each / name).exists()), None)


class MariaDb:
    """A running server."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory, self.port = directory, port

    def connect(self, database: str | None = None) -> Any:
        """Connect as who may do all; `close` it."""
        import pymysql  # noqa: PLC0415 - an extra: these tests are skipped without it

        return pymysql.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, database=database,
            ssl_disabled=True,  # else it reads the machine's authorities each time
        )  # fmt: skip

    def new_database(self) -> str:
        """Make an empty database, and give its name."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(None, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return name

    def execute(self, database: str | None, script: str) -> None:
        """Run statements that semicolons part."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                for statement in filter(None, map(str.strip, script.split(";"))):
                    cursor.execute(statement)
            connection.commit()
        finally:
            connection.close()

    def url(self, database: str) -> str:
        return f"mariadb://{USER}@127.0.0.1:{self.port}/{database}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_server() -> Iterator[MariaDb]:
    """Run a server in a folder of its own until the block ends."""
    daemon, install = program("mariadbd"), program("mariadb-install-db")
    assert daemon is not None
    assert install is not None
    directory = Path(tempfile.mkdtemp(prefix="spean-mariadb-", dir=place_for(ROOM_BYTES)))
    data, port = directory / "data", _free_port()
    user = [f"--user={'mysql' if os.geteuid() == 0 else os.environ.get('USER', 'nobody')}"]
    if os.geteuid() == 0:
        shutil.chown(directory, "mysql")
    small = [
        "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0",
        "--innodb-flush-method=fsync",  # a folder in memory knows no other
    ]  # fmt: skip
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db",
         "--skip-name-resolve", *user, *small[:2]],
        check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    start = directory / "start.sql"
    start.write_text(
        f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    start.chmod(0o644)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
        [daemon, "--no-defaults", f"--datadir={data}", f"--socket={directory / 's'}", f"--port={port}",
         "--bind-address=127.0.0.1", f"--pid-file={directory / 'pid'}", f"--init-file={start}", "--skip-name-resolve",
         "--skip-networking=0", *user, *small],
        stdout=subprocess.DEVNULL, stderr=log,
    )  # fmt: skip
    server = MariaDb(directory, port)
    try:
        _wait(server, process)
        yield server
    finally:
        process.kill()
        process.wait(timeout=20)
        shutil.rmtree(directory, ignore_errors=True)


def _wait(server: MariaDb, process: "subprocess.Popen[bytes]") -> None:
    import pymysql  # noqa: PLC0415 - as above

    until = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, (server.directory / "log").read_text(errors="replace")
        try:
            server.connect().close()
        except pymysql.err.OperationalError:
            assert time.monotonic() < until, (server.directory / "log").read_text(errors="replace")
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDb]:
    if program("mariadbd") is None or program("mariadb-install-db") is None:
        if os.environ.get("CI"):
            pytest.fail("mariadbd is missing: install Debian's package mariadb-server")
        pytest.skip("mariadbd is not here: install Debian's package mariadb-server")
    with running_server() as server:
        yield server
