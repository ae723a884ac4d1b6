"""A cluster of NATS servers of the tests' own, on loopback, with streams on disk."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

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
    """Servers that hold a stream together, each with a folder of its own."""

    folder: Path
    ports: list[int]
    commands: dict[str, list[str]]
    monitors: dict[str, int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(f"nats://127.0.0.1:{each}" for each in self.ports)

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(self.commands[name], stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """End a server as a power failure would."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def wait(self) -> None:
        """Return when all servers answer."""
        for each in self.monitors.values():
            _wait(each)


@contextlib.contextmanager
def running_cluster(folder: Path, *, size: int = 3) -> Iterator[Cluster]:
    """Run servers until the block ends."""
    program, ports = need_nats(), free_ports(size * 3)
    clients, routes, monitors = ports[:size], ports[size : 2 * size], ports[2 * size :]
    cluster = Cluster(folder, clients, {}, {f"n{number}": each for number, each in enumerate(monitors)})
    for number, name in enumerate(cluster.monitors):
        command = [program, "-a", "127.0.0.1", "-p", str(clients[number]), "-n", name]
        command += ["-js", "-sd", str(folder / name), "-m", str(monitors[number])]
        if size > 1:
            others = ",".join(f"nats://127.0.0.1:{each}" for each in routes)
            command += ["--cluster", f"nats://127.0.0.1:{routes[number]}", "--cluster_name", "test"]
            command += ["--routes", others]
        cluster.commands[name] = command
    try:
        for name in cluster.commands:
            cluster.start(name)
        cluster.wait()
        yield cluster
    finally:
        for process in cluster.processes.values():
            process.kill()
            process.wait(10)


def certificates(folder: Path) -> None:
    """Write an authority (``ca.pem``), a certificate of it for 127.0.0.1, and an authority that certified nobody."""
    ca, ca_key = _certified("authority", None)
    server, key = _certified("server", (ca, ca_key))
    (folder / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    (folder / "other.pem").write_bytes(_certified("other", None)[0].public_bytes(Encoding.PEM))
    (folder / "server.pem").write_bytes(server.public_bytes(Encoding.PEM))
    (folder / "server.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _certified(
    name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    return made.sign(key if issuer is None else issuer[1], hashes.SHA256()), key


@contextlib.contextmanager
def running_secured(folder: Path, *, user: str, password: str) -> Iterator[str]:
    """Run one server that asks for a password and speaks TLS only, and give its URL until the block ends."""
    program, [port, monitor] = need_nats(), free_ports(2)
    certificates(folder)
    tls = {"cert_file": str(folder / "server.pem"), "key_file": str(folder / "server.key"), "timeout": 10}
    said = {
        "listen": f"127.0.0.1:{port}", "http": f"127.0.0.1:{monitor}", "jetstream": {"store_dir": str(folder / "js")},
        "authorization": {"user": user, "password": password, "timeout": 10}, "tls": tls,
    }  # fmt: skip
    (folder / "nats.conf").write_text(json.dumps(said))
    with (folder / "nats.log").open("ab") as log:
        process = subprocess.Popen([program, "-c", str(folder / "nats.conf")], stdout=log, stderr=log)
    try:
        _wait(monitor)
        yield f"tls://127.0.0.1:{port}"
    finally:
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
