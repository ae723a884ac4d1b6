"""Starts the baselines: the bare backend, and two plain proxies that speak mutual TLS with each other.

It refuses to measure. The proxies' keys are ECDSA P-256, made for this run.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.measure import Target

HOST = "127.0.0.1"
START_SECONDS = 20.0


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def backend() -> AsyncIterator[Target]:
    """Run the bare backend."""
    port = free_port()
    async with _process("backend", str(port), port=port) as pid:
        yield Target("bare backend", HOST, port, "/echo", (pid,))


@asynccontextmanager
async def proxies(folder: Path, behind: Target) -> AsyncIterator[Target]:
    """Run the two proxies in front of a backend: HTTP, mutual TLS, HTTP."""
    _make_keys(folder)
    near, far = free_port(), free_port()
    service = f"http://{behind.host}:{behind.port}"
    async with (
        _process("far", str(far), service, str(folder), port=far) as far_pid,
        _process("near", str(near), f"https://{HOST}:{far}", str(folder), port=near) as near_pid,
    ):
        yield Target("plain mutual-TLS proxies", HOST, near, "/echo", (near_pid, far_pid))


@asynccontextmanager
async def _process(*words: str, port: int) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.baselines", *words)
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _listens(port):  # noqa: ASYNC110 - another process cannot set an event
                await asyncio.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def _make_keys(folder: Path) -> None:
    """Make one self-signed certificate that both proxies have and trust."""
    folder.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "baseline")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "cert.pem").write_bytes(pem)
    (folder / "ca.pem").write_bytes(pem)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
