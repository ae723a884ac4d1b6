"""Declarations for tests of the server's configuration."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from securityserver.serverconf import Declaration, parse_services
from xroad.identifiers import ClientId, GlobalGroupId, ServiceId

IDPOOR = ClientId("KH-SANDBOX", "GOV", "MOP", "IDPOOR")
FAMILY = ClientId("KH-SANDBOX", "GOV", "NSAF", "FAMILY-PACKAGE")
OTHER = ClientId("KH-SANDBOX", "GOV", "NSSF", "MEMBERS")
HOUSEHOLD = ServiceId(IDPOOR, "household")
PARTNERS = GlobalGroupId("KH-SANDBOX", "PARTNERS")

SERVICES = """
[[client]]
id = "KH-SANDBOX/GOV/MOP/IDPOOR"

[[client.local_group]]
code = "friends"
members = ["KH-SANDBOX/GOV/NSSF/MEMBERS"]

[[client.service]]
code = "household"
url = "http://127.0.0.1:7001"
timeout = 10

[[client.service.access]]
subject = "KH-SANDBOX/GOV/NSAF/FAMILY-PACKAGE"

[[client.service.access]]
local_group = "friends"
method = "GET"
path = "/v1/*/cards"

[[client.service.access]]
global_group = "KH-SANDBOX/PARTNERS"
path = "/public/**"

[[client.service]]
code = "closed"
url = "https://[::1]:7002/base"
disabled = "បិទ until Monday"
"""


def declared(text: str = SERVICES, base: Path = Path("/nowhere")) -> Declaration:
    return parse_services(text, source="SERVICES.toml", base=base)


@cache
def certificate(name: str = "backend") -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365))
        .sign(key, SHA256())
    )


def pem(name: str = "backend") -> str:
    return certificate(name).public_bytes(Encoding.PEM).decode()


def der(name: str = "backend") -> bytes:
    return certificate(name).public_bytes(Encoding.DER)
