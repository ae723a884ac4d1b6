"""A cluster of NATS servers of the tests' own, on loopback, with streams on disk."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.sandboxes import free_ports

_PLACES = ("/usr/sbin/nats-server", "/usr/bin/nats-server")
_START_SECONDS = 20


def need_nats() -> str:
    """Return the path of the server; without one a test fails in CI and skips elsewhere."""
    found = shutil.which("nats-server") or next((each for each in _PLACES if Path(each).exists()), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("nats-server is missing: install Debian's package nats-server")
        pytest.skip("nats-server is not here: install Debian's package nats-server")
    return found


@dataclass
class Cluster:
    """Servers that hold a stream together."""

    ports: list[int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(f"nats://127.0.0.1:{each}" for each in self.ports)

    def kill(self, name: str) -> None:
        """End a server as a power failure would."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(10)


@contextlib.contextmanager
def running_cluster(folder: Path, *, size: int = 3) -> Iterator[Cluster]:
    """Run servers until the block ends; each holds its data in a folder of its own."""
    program = need_nats()
    ports = free_ports(size * 3)
    clients, routes, monitors = ports[:size], ports[size : 2 * size], ports[2 * size :]
    cluster = Cluster(clients)
    try:
        for number in range(size):
            command = [program, "-a", "127.0.0.1", "-p", str(clients[number]), "-n", f"n{number}"]
            command += ["-js", "-sd", str(folder / f"n{number}"), "-m", str(monitors[number])]
            if size > 1:
                others = ",".join(f"nats://127.0.0.1:{each}" for each in routes)
                command += ["--cluster", f"nats://127.0.0.1:{routes[number]}", "--cluster_name", "test"]
                command += ["--routes", others]
            log = (folder / f"n{number}.log").open("wb")
            cluster.processes[f"n{number}"] = subprocess.Popen(command, stdout=log, stderr=log)
            log.close()
        for each in monitors:
            _wait(each)
        yield cluster
    finally:
        for process in cluster.processes.values():
            process.kill()
            process.wait(10)


def _wait(monitor: int) -> None:
    """Return when a server's JetStream works, which in a cluster needs a leader."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{monitor}/healthz", timeout=1):
            return
        time.sleep(0.05)
    pytest.fail("nats-server did not start")
